//! What the writer remembers of names, so that an append asks no index.
//!
//! Next positions of streams, and where streams, categories and names are entered in the index that is being filled.

use super::hash::{category_hash, hash_in_category, name_hash};
use super::hot::{Addition, EntryNumbers, HotIndex, IndexFull};
use super::known::{Known, Place};

/// Categories that are known at most, and names.
const FEW: usize = 1 << 16;

/// Categories and names that are looked for first.
const RECENT: usize = 32;

/// The writer's memory. Holds what the indexes hold, or less: what it does not know they do.
#[derive(Debug)]
pub(crate) struct WriterCache {
    seed: u64,
    /// How many streams may be known.
    bound: usize,
    /// Which index is being filled: entries that were noted for another one are none.
    part: u32,
    categories: Known<Category>,
    streams: Known<Stream>,
    names: Known<Entered>,
    /// The number that the next category gets.
    next_owner: u32,
    /// By number of a category: where it is known.
    owners: Vec<Place>,
    recent_categories: Recent,
    recent_names: Recent,
}

/// Where a few names are known that were asked for lately. They are told apart by what needs no hash.
#[derive(Debug, Default)]
struct Recent([Place; RECENT]);

impl Recent {
    fn slot(name: &str) -> usize {
        let last = name.as_bytes().last().copied().unwrap_or_default();
        (name.len() + usize::from(last)) % RECENT
    }

    fn get(&self, name: &str) -> Place {
        self.0.get(Self::slot(name)).copied().unwrap_or_default()
    }

    fn set(&mut self, name: &str, place: Option<Place>) {
        if let (Some(slot), Some(place)) = (self.0.get_mut(Self::slot(name)), place) {
            *slot = place;
        }
    }
}

/// Where something is entered.
#[derive(Debug, Clone, Copy, Default)]
struct Entered {
    /// In which index; 0 in none.
    part: u32,
    number: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Category {
    /// The category's half of a stream's hash.
    hash: u64,
    /// Sets its streams apart from others of the same name. Never given twice: a category that was forgotten and comes again gets
    /// another, and what is still known of its streams is never asked for again.
    owner: u32,
    entered: Entered,
}

/// What is known of a stream, in words of 32 bits: its record lies in one cache line.
#[derive(Debug, Clone, Copy)]
struct Stream {
    next: [u32; 2],
    entered: Entered,
    /// The number of its category in that index.
    category: u32,
}

impl Stream {
    fn new(next: u64, entered: Entered, category: u32) -> Self {
        let mut stream = Self { next: [0; 2], entered, category };
        stream.set_next(next);
        stream
    }

    #[inline]
    fn next(&self) -> u64 {
        u64::from(self.next[0]) | u64::from(self.next[1]) << 32
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of it")]
    fn set_next(&mut self, next: u64) {
        self.next = [next as u32, (next >> 32) as u32];
    }
}

/// Where a stream is known, as a number that can be kept elsewhere: whoever brings it back has it looked at, not believed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spot(u64);

impl Spot {
    /// The number; 0 for nowhere.
    #[inline]
    pub(crate) fn note(self) -> u64 {
        self.0
    }

    /// The spot that a number stands for.
    #[inline]
    pub(crate) fn of(note: u64) -> Self {
        Self(note)
    }

    /// Owner, part of the table and record: nowhere if there are more of these than a spot can tell.
    #[inline]
    fn new(owner: u32, place: Place) -> Self {
        match place.pack() {
            Some(place) => Self((u64::from(owner) << 32 | u64::from(place)).wrapping_add(1)),
            None => Self(0),
        }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of it")]
    fn parts(self) -> Option<(u32, Place)> {
        let packed = self.0.checked_sub(1)?;
        Some(((packed >> 32) as u32, Place::unpack(packed as u32)))
    }
}

/// A stream that is known at a spot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownStream {
    /// The position of its next event.
    pub(crate) next: u64,
    /// Category and stream in the index that is being filled, if they are in it.
    numbers: Option<(u32, u32)>,
    place: Place,
}

/// What the writer knows of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextPosition {
    /// The position of its next event, everything staged included; `None` where only the indexes can tell.
    pub(crate) next: Option<u64>,
    /// Where it is known, to be brought along the next time and to [`WriterCache::add`].
    pub(crate) spot: Spot,
}

impl WriterCache {
    /// Knows nothing yet, and about `bound` streams at most later. `complete` if there is no event in the whole log.
    pub(crate) fn new(seed: u64, bound: usize, complete: bool) -> Self {
        Self {
            seed,
            bound,
            part: 1,
            categories: Known::new(bound.min(FEW), complete),
            streams: Known::new(bound, complete),
            names: Known::new(bound.min(FEW), false),
            next_owner: 0,
            owners: Vec::new(),
            recent_categories: Recent::default(),
            recent_names: Recent::default(),
        }
    }

    /// Another index is being filled from now on.
    pub(crate) fn begin_part(&mut self) {
        match self.part.checked_add(1) {
            Some(part) => self.part = part,
            None => self.forget(),
        }
    }

    /// No number is ever given twice: before one would be, everything is forgotten.
    fn forget(&mut self) {
        *self = Self::new(self.seed, self.bound, false);
    }

    /// What is known of a stream. What entering an event of it into `index` will need is asked of the memory meanwhile.
    #[inline]
    pub(crate) fn next_position(
        &mut self,
        category: &str,
        stream: &str,
        spot: Spot,
        index: Option<&HotIndex>,
    ) -> NextPosition {
        let part = self.part;
        match self.at(spot, category, stream) {
            Some(known) => {
                if let Some(index) = index.filter(|_| known.entered.part == part) {
                    index.foresee(known.entered.number);
                }
                NextPosition { next: Some(known.next()), spot }
            }
            None => self.look_up(category, stream),
        }
    }

    fn look_up(&mut self, category: &str, stream: &str) -> NextPosition {
        let unknown = (self.categories.is_complete() && self.streams.is_complete()).then_some(0);
        let unknown = NextPosition { next: unknown, spot: Spot::default() };
        let Some(category) = self.known_category(category) else { return unknown };
        let hash = hash_in_category(self.seed, category.hash, stream);
        let Some(place) = self.streams.find(hash, category.owner, stream.as_bytes()) else { return unknown };
        match self.streams.value(place) {
            Some(known) => NextPosition { next: Some(known.next()), spot: Spot::new(category.owner, place) },
            None => unknown,
        }
    }

    /// What is known of a stream, if it is known at that spot.
    #[inline]
    fn at(&mut self, spot: Spot, category: &str, stream: &str) -> Option<&mut Stream> {
        let (owner, place) = spot.parts()?;
        let owner_place = *self.owners.get(owner_slot(owner))?;
        self.categories.at(owner_place, 0, category.as_bytes()).filter(|known| known.owner == owner)?;
        self.streams.at(place, owner, stream.as_bytes())
    }

    fn known_category(&mut self, name: &str) -> Option<Category> {
        if let Some(recent) = self.categories.at(self.recent_categories.get(name), 0, name.as_bytes()) {
            return Some(*recent);
        }
        let place = self.categories.find(category_hash(self.seed, name), 0, name.as_bytes())?;
        self.recent_categories.set(name, Some(place));
        let known = self.categories.value(place).copied()?;
        self.note_owner(known.owner, place);
        Some(known)
    }

    /// Notes where the category with this number is known. Of more categories than are known at most, the last one is noted.
    fn note_owner(&mut self, owner: u32, place: Place) {
        let slot = owner_slot(owner);
        if slot >= self.owners.len() {
            self.owners.resize(slot + 1, Place::default());
        }
        if let Some(noted) = self.owners.get_mut(slot) {
            *noted = place;
        }
    }

    /// Enters the events of the frame at `offset` into the index that is being filled, and notes their positions.
    ///
    /// # Errors
    /// [`IndexFull`]: neither the index nor what is known can be used for appends any more.
    #[inline]
    pub(crate) fn add<'a>(
        &mut self,
        index: &HotIndex,
        offset: u64,
        id: Option<&str>,
        events: impl Iterator<Item = Addition<'a>>,
    ) -> Result<(), IndexFull> {
        let mut filling = index.fill(offset)?;
        let mut run: Option<(Addition<'_>, u64)> = None;
        for event in events {
            let noted = match run {
                // Events of one transaction mostly share stream and name with the one before: no need to look them up again.
                Some((known, noted)) if known.shares_names(&event) => noted,
                _ => {
                    self.end_run(run);
                    filling.turn_to(self.enter(index, &event)?);
                    event.position
                }
            };
            if let Some(id) = event.id {
                filling.note_id(event.category.as_bytes(), id)?;
            }
            filling.push()?;
            run = Some((event, noted));
        }
        self.end_run(run);
        filling.finish(id)
    }

    /// What is known of a stream at a spot. What entering an event of it into `index` will need is asked of the memory meanwhile.
    #[inline]
    pub(crate) fn known_at(
        &mut self,
        category: &str,
        stream: &str,
        spot: Spot,
        index: &HotIndex,
    ) -> Option<KnownStream> {
        let part = self.part;
        let (_, place) = spot.parts()?;
        let known = self.at(spot, category, stream)?;
        let numbers = (known.entered.part == part).then_some((known.category, known.entered.number));
        if numbers.is_some() {
            index.foresee(known.entered.number);
        }
        Some(KnownStream { next: known.next(), numbers, place })
    }

    /// Enters the one event of the frame at `offset`, whose stream is known, and notes its position. Nothing was entered since
    /// [`WriterCache::known_at`].
    ///
    /// # Errors
    /// As [`WriterCache::add`].
    #[inline]
    pub(crate) fn add_known(
        &mut self,
        index: &HotIndex,
        offset: u64,
        event: &Addition<'_>,
        known: &KnownStream,
    ) -> Result<(), IndexFull> {
        let (category, stream) = match known.numbers {
            Some(numbers) => numbers,
            None => self.enter_known(index, event, known.place)?,
        };
        let name = self.enter_name(index, event.name)?;
        let mut filling = index.fill(offset)?;
        filling.turn_to(EntryNumbers { category, stream, name });
        filling.push()?;
        filling.finish(None)?;
        if let Some(known) = self.streams.value(known.place) {
            known.set_next(event.position.saturating_add(1));
        }
        Ok(())
    }

    /// Enters a stream that is known at a place into an index that it was not in yet.
    fn enter_known(&mut self, index: &HotIndex, event: &Addition<'_>, place: Place) -> Result<(u32, u32), IndexFull> {
        let category = self.enter_category(index, event.category)?.entered.number;
        let hash = self.streams.hash(place).ok_or(IndexFull)?;
        let number = index.add_stream(category, event.stream.as_bytes(), hash, event.position)?;
        if let Some(known) = self.streams.value(place) {
            known.entered = Entered { part: self.part, number };
            known.category = category;
        }
        Ok((category, number))
    }

    /// Notes the position behind the last event of several of one stream; that of the first was noted when it was entered.
    #[inline]
    fn end_run(&mut self, run: Option<(Addition<'_>, u64)>) {
        let Some((event, noted)) = run else { return };
        if event.position == noted {
            return;
        }
        let next = event.position.saturating_add(1);
        if let Some(known) = self.at(event.spot, event.category, event.stream) {
            known.set_next(next);
            return;
        }
        let Some(category) = self.known_category(event.category) else { return };
        let hash = hash_in_category(self.seed, category.hash, event.stream);
        if let Some(known) = self.streams.get(hash, category.owner, event.stream.as_bytes()) {
            known.set_next(next);
        }
    }

    #[inline]
    fn enter(&mut self, index: &HotIndex, event: &Addition<'_>) -> Result<EntryNumbers, IndexFull> {
        let part = self.part;
        let (category, stream) = match self.at(event.spot, event.category, event.stream) {
            Some(known) if known.entered.part == part => {
                known.set_next(event.position.saturating_add(1));
                (known.category, known.entered.number)
            }
            _ => self.enter_stream(index, event)?,
        };
        Ok(EntryNumbers { category, stream, name: self.enter_name(index, event.name)? })
    }

    /// Category and stream of an event that the index does not have yet, or of which it is not known where it has them.
    fn enter_stream(&mut self, index: &HotIndex, event: &Addition<'_>) -> Result<(u32, u32), IndexFull> {
        let category = self.enter_category(index, event.category)?;
        let in_category = category.entered.number;
        let key = event.stream.as_bytes();
        let next = event.position.saturating_add(1);
        let hash = hash_in_category(self.seed, category.hash, event.stream);
        let stream = match self.streams.get(hash, category.owner, key) {
            Some(known) => {
                known.set_next(next);
                if known.entered.part != self.part {
                    // What is known was entered when it was last added to: never in this index.
                    let number = index.add_stream(in_category, key, hash, event.position)?;
                    known.entered = Entered { part: self.part, number };
                    known.category = in_category;
                }
                known.entered.number
            }
            None => {
                let number = index.enter_stream(in_category, key, hash, event.position)?;
                let entered = Entered { part: self.part, number };
                self.streams.add(hash, category.owner, key, Stream::new(next, entered, in_category));
                number
            }
        };
        Ok((in_category, stream))
    }

    fn enter_category(&mut self, index: &HotIndex, name: &str) -> Result<Category, IndexFull> {
        if let Some(recent) = self.categories.at(self.recent_categories.get(name), 0, name.as_bytes())
            && recent.entered.part == self.part
        {
            return Ok(*recent);
        }
        let hash = category_hash(self.seed, name);
        let category = match self.categories.get(hash, 0, name.as_bytes()) {
            Some(known) => {
                if known.entered.part != self.part {
                    known.entered = Entered { part: self.part, number: index.enter_category(name, hash)? };
                }
                *known
            }
            None => {
                if self.next_owner == u32::MAX {
                    self.forget();
                }
                let entered = Entered { part: self.part, number: index.enter_category(name, hash)? };
                let category = Category { hash, owner: self.next_owner, entered };
                self.next_owner += 1;
                self.categories.add(hash, 0, name.as_bytes(), category);
                category
            }
        };
        if let Some(place) = self.categories.find(hash, 0, name.as_bytes()) {
            self.recent_categories.set(name, Some(place));
            self.note_owner(category.owner, place);
        }
        Ok(category)
    }

    #[inline]
    fn enter_name(&mut self, index: &HotIndex, name: &str) -> Result<u32, IndexFull> {
        if let Some(recent) = self.names.at(self.recent_names.get(name), 0, name.as_bytes())
            && recent.part == self.part
        {
            return Ok(recent.number);
        }
        self.enter_other_name(index, name)
    }

    fn enter_other_name(&mut self, index: &HotIndex, name: &str) -> Result<u32, IndexFull> {
        let hash = name_hash(self.seed, name);
        let entered = match self.names.get(hash, 0, name.as_bytes()) {
            Some(known) => {
                if known.part != self.part {
                    *known = Entered { part: self.part, number: index.enter_name(name, hash)? };
                }
                *known
            }
            None => {
                let entered = Entered { part: self.part, number: index.enter_name(name, hash)? };
                self.names.add(hash, 0, name.as_bytes(), entered);
                entered
            }
        };
        self.recent_names.set(name, self.names.find(hash, 0, name.as_bytes()));
        Ok(entered.number)
    }

    /// Bytes of memory that is taken for it.
    pub(crate) fn bytes(&self) -> u64 {
        let owners = self.owners.capacity() * size_of::<Place>();
        self.categories.bytes() + self.streams.bytes() + self.names.bytes() + owners as u64
    }
}

/// Where it is noted in which place the category with this number is known.
fn owner_slot(owner: u32) -> usize {
    owner as usize % FEW
}

#[cfg(test)]
mod tests;
