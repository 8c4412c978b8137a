//! How a run went over time: frames, the worst latency and the longest silence of each step.

/// More steps than any run has; later frames count into the last.
const MOST_STEPS: usize = 100_000;

/// One row of figures for each step of time since the first frame.
pub struct Series {
    step: u64,
    begin: u64,
    frames: Vec<u64>,
    worst: Vec<u64>,
    silence: Vec<u64>,
}

impl Series {
    /// `step` is in nanoseconds, at least 1.
    #[must_use]
    pub fn new(step: u64) -> Self {
        Self { step: step.max(1), begin: 0, frames: Vec::new(), worst: Vec::new(), silence: Vec::new() }
    }

    /// Counts a frame that was read at `now` (Unix time) after so long a way, and after so long a time in which its
    /// client had none, all in nanoseconds.
    pub fn record(&mut self, now: u64, latency: u64, silence: u64) {
        if self.begin == 0 {
            self.begin = now;
        }
        let steps = now.saturating_sub(self.begin) / self.step;
        let index = usize::try_from(steps).unwrap_or(MOST_STEPS).min(MOST_STEPS - 1);
        if self.frames.len() <= index {
            self.frames.resize(index + 1, 0);
            self.worst.resize(index + 1, 0);
            self.silence.resize(index + 1, 0);
        }
        self.frames[index] += 1;
        self.worst[index] = self.worst[index].max(latency);
        self.silence[index] = self.silence[index].max(silence);
    }

    /// When the first step began, Unix time in nanoseconds; 0 without frames.
    #[must_use]
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// Frames of each step.
    #[must_use]
    pub fn frames(&self) -> &[u64] {
        &self.frames
    }

    /// The worst latency of each step in nanoseconds, by the time of reading; 0 where nothing came.
    #[must_use]
    pub fn worst(&self) -> &[u64] {
        &self.worst
    }

    /// The longest silence of a client that ended in each step, in nanoseconds; 0 where nothing came.
    #[must_use]
    pub fn silence(&self) -> &[u64] {
        &self.silence
    }
}
