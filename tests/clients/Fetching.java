import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Java's own client against a site: {@code java Fetching.java BASE_URL}. As it comes it offers HTTP/2 with each request,
 * also with those that have a body. A line for each response: name, version, status, bytes of body, text of a small one.
 */
public class Fetching {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static String base;

    public static void main(String[] words) throws Exception {
        base = words[0];
        byte[] large = new byte[3_000_000];
        Arrays.fill(large, (byte) 'l');
        BodyPublisher chunks = BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(large));

        tell("get", send("GET", "/where/", BodyPublishers.noBody()));
        tell("small", send("POST", "/echo/", BodyPublishers.ofString("small")));
        tell("large", send("PUT", "/echo/", BodyPublishers.ofByteArray(large)));
        tell("chunked", send("POST", "/echo/", chunks));
        HttpRequest.Builder asking = request("POST", "/echo/", BodyPublishers.ofByteArray(large)).expectContinue(true);
        tell("asked first", CLIENT.send(asking.build(), BodyHandlers.ofByteArray()));
        tell("head", send("HEAD", "/document/", BodyPublishers.noBody()));
        tell("nothing", send("GET", "/nothing/", BodyPublishers.noBody()));
        tell("range", send("GET", "/document/", BodyPublishers.noBody(), "Range", "bytes=97-106"));
        HttpResponse<byte[]> document = send("GET", "/document/", BodyPublishers.noBody());
        tell("document", document);
        String tag = document.headers().firstValue("etag").orElseThrow();
        tell("known", send("GET", "/document/", BodyPublishers.noBody(), "If-None-Match", tag));
        tell("stream", send("GET", "/download/3000000/", BodyPublishers.noBody()));
        tell("events", send("GET", "/events/", BodyPublishers.noBody()));
        tell("lost", send("GET", "/nowhere/", BodyPublishers.noBody()));
        tellMany(20);
        tell("get again", send("GET", "/where/", BodyPublishers.noBody()));
    }

    private static HttpRequest.Builder request(String method, String path, BodyPublisher body, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + path)).method(method, body);
        return headers.length == 0 ? request : request.headers(headers);
    }

    private static HttpResponse<byte[]> send(String method, String path, BodyPublisher body, String... headers)
            throws Exception {
        return CLIENT.send(request(method, path, body, headers).build(), BodyHandlers.ofByteArray());
    }

    /** So many requests at the same time. */
    private static void tellMany(int count) {
        List<CompletableFuture<HttpResponse<byte[]>>> waiting = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            BodyPublisher body = BodyPublishers.ofString("x".repeat(number));
            waiting.add(CLIENT.sendAsync(request("POST", "/echo/", body).build(), BodyHandlers.ofByteArray()));
        }
        for (int number = 0; number < count; number++) {
            tell("many " + number, waiting.get(number).join());
        }
    }

    private static void tell(String name, HttpResponse<byte[]> response) {
        byte[] body = response.body();
        String text = body.length < 500 ? new String(body).replace("\n", "\\n") : "";
        System.out.printf("%s\t%s\t%d\t%d\t%s%n", name, response.version(), response.statusCode(), body.length, text);
    }
}
