//! Numbers for things that come and go; that of one that is gone is nobody's.

/// What has a place, found by number.
#[derive(Debug)]
pub struct Places<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Places { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    /// The number that the next one gets.
    #[must_use]
    pub fn next(&self) -> u64 {
        let index = self.free.last().map_or(self.places.len(), |index| *index as usize);
        let generation = self.places.get(index).map_or(0, |(generation, _)| *generation);
        u64::from(generation) << 32 | index as u64
    }

    /// Takes one in, under the number `next` has told.
    pub fn add(&mut self, thing: T) {
        match self.free.pop() {
            Some(index) => self.places[index as usize].1 = Some(thing),
            None => self.places.push((0, Some(thing))),
        }
    }

    /// Whose number it is.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&T> {
        let (generation, thing) = self.places.get(index_of(number))?;
        if u64::from(*generation) == number >> 32 { thing.as_ref() } else { None }
    }

    /// Its number is nobody's from now on.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        self.get(number)?;
        let (generation, thing) = &mut self.places[index_of(number)];
        *generation = generation.wrapping_add(1) & 0x7fff_ffff;
        self.free.push(u32::try_from(number & 0xffff_ffff).unwrap_or_default());
        thing.take()
    }

    /// All, which have no places any more.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.free.clear();
        std::mem::take(&mut self.places).into_iter().filter_map(|(_, thing)| thing)
    }
}

fn index_of(number: u64) -> usize {
    (number & 0xffff_ffff) as usize
}
