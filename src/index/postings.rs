//! Lists of numbers that only grow, many in one pool: who occurs where.

use super::chunks::Chunks;
use crate::vocabulary::sync::{AtomicU32, Ordering};

/// Numbers kept in the list's own head. Few in models, so that they come to the first runs.
const INLINE: u32 = if cfg!(loom) { 1 } else { 3 };
/// Numbers of a list's first run, as a power of two.
const FIRST_BITS: u32 = if cfg!(loom) { 0 } else { 3 };
/// Numbers of a run at most, as a power of two: runs double up to here.
const LAST_BITS: u32 = 14;
/// Words of a run before its numbers: the address of the next run, plus one.
const RUN_HEAD: u32 = 1;

/// Room for the runs of many lists.
#[derive(Debug, Default)]
pub(super) struct Pool {
    words: Chunks<AtomicU32>,
    used: AtomicU32,
}

/// A growing list of ascending numbers, whose first few it holds itself.
#[derive(Debug, Default)]
pub(super) struct Postings {
    count: AtomicU32,
    inline: [AtomicU32; INLINE as usize],
    /// The address of the first run, plus one; 0 for none.
    first_run: AtomicU32,
    /// The address of the run that is being filled, plus one.
    last_run: AtomicU32,
}

/// Which run holds the number at `index` of the list, where that run begins in the list, and how many it holds.
const fn run_of(index: u32) -> (u32, u32, u32) {
    // Counted as if runs of half and quarter the first one's length came before it: a run's length is then where it begins.
    let at = (index - INLINE) as u64 + (1 << FIRST_BITS);
    let bits = 63 - at.leading_zeros();
    if bits < LAST_BITS {
        return (bits - FIRST_BITS, INLINE + (1 << bits) - (1 << FIRST_BITS), 1 << bits);
    }
    let start = INLINE + (1 << LAST_BITS) - (1 << FIRST_BITS);
    let further = (index - start) >> LAST_BITS;
    (LAST_BITS - FIRST_BITS + further, start + (further << LAST_BITS), 1 << LAST_BITS)
}

/// The pool is full: a segment would need more than 2^32 words of postings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolFull;

impl Postings {
    /// How many numbers there are.
    pub(super) fn len(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// Adds a number at the end. For the writer alone.
    pub(super) fn push(&self, pool: &Pool, number: u32) -> Result<(), PoolFull> {
        let count = self.count.load(Ordering::Relaxed);
        if let Some(slot) = self.inline.get(count as usize) {
            slot.store(number, Ordering::Relaxed);
        } else {
            let (_, start, length) = run_of(count);
            if start == count {
                self.add_run(pool, length)?;
            }
            let run = self.last_run.load(Ordering::Relaxed) - 1;
            let slot = pool.words.get(run + RUN_HEAD + (count - start)).ok_or(PoolFull)?;
            slot.store(number, Ordering::Relaxed);
        }
        self.count.store(count + 1, Ordering::Release);
        Ok(())
    }

    /// Has the memory bring where the next number goes. For the writer alone, which goes on with something else: a load whose
    /// value nobody needs is waited for by nobody.
    #[inline]
    pub(super) fn foresee(&self, pool: &Pool) {
        let count = self.count.load(Ordering::Relaxed);
        if let (Some(run), true) = (self.last_run.load(Ordering::Relaxed).checked_sub(1), count >= INLINE) {
            let (_, start, _) = run_of(count);
            let slot = pool.words.get(run + RUN_HEAD + (count - start));
            std::hint::black_box(slot.map(|slot| slot.load(Ordering::Relaxed)));
        }
    }

    fn add_run(&self, pool: &Pool, length: u32) -> Result<(), PoolFull> {
        let used = pool.used.load(Ordering::Relaxed);
        let run = pool.words.make_run(used, length + RUN_HEAD).ok_or(PoolFull)?;
        let end = run.checked_add(length + RUN_HEAD).ok_or(PoolFull)?;
        pool.used.store(end, Ordering::Relaxed);
        match self.last_run.load(Ordering::Relaxed).checked_sub(1) {
            None => self.first_run.store(run + 1, Ordering::Release),
            Some(last) => pool.words.get(last).ok_or(PoolFull)?.store(run + 1, Ordering::Release),
        }
        self.last_run.store(run + 1, Ordering::Relaxed);
        Ok(())
    }

    /// The number at `index`, which is below [`Postings::len`]. `place` remembers the run for the next call.
    pub(super) fn get(&self, pool: &Pool, index: u32, place: &mut RunPlace) -> Option<u32> {
        if index >= self.len() {
            return None;
        }
        if let Some(slot) = self.inline.get(index as usize) {
            return Some(slot.load(Ordering::Relaxed));
        }
        let (run, start, _) = run_of(index);
        let address = self.address(pool, run, place)?;
        Some(pool.words.get(address + RUN_HEAD + (index - start))?.load(Ordering::Relaxed))
    }

    /// Where a run begins.
    fn address(&self, pool: &Pool, run: u32, place: &mut RunPlace) -> Option<u32> {
        let known = place.0.filter(|(known, _)| *known <= run);
        let (mut at, mut address) = match known {
            Some((known, address)) => (known, address),
            None => (0, self.first_run.load(Ordering::Acquire).checked_sub(1)?),
        };
        while at < run {
            address = pool.words.get(address)?.load(Ordering::Acquire).checked_sub(1)?;
            at += 1;
        }
        place.0 = Some((run, address));
        Some(address)
    }

    /// The numbers from `index` on, as many as fit into `out` and are there. Says how many. `place` is as in
    /// [`Postings::get`].
    pub(super) fn read(&self, pool: &Pool, index: u32, place: &mut RunPlace, out: &mut [u32]) -> usize {
        let (count, mut done, mut next) = (self.len(), 0, index);
        while let (Some(out), true) = (out.get_mut(done..).filter(|out| !out.is_empty()), next < count) {
            let most = out.len().min((count - next) as usize);
            let found = match self.inline.get(next as usize..) {
                Some(slots) if !slots.is_empty() => slots,
                _ => self.run(pool, next, place).unwrap_or_default(),
            };
            let found = found.get(..most.min(found.len())).unwrap_or_default();
            if found.is_empty() {
                break;
            }
            for (slot, number) in out.iter_mut().zip(found) {
                *slot = number.load(Ordering::Relaxed);
            }
            done += found.len();
            next = index + u32::try_from(done).unwrap_or_default();
        }
        done
    }

    /// The numbers from `index` on that are in the same run.
    fn run<'p>(&self, pool: &'p Pool, index: u32, place: &mut RunPlace) -> Option<&'p [AtomicU32]> {
        let (run, start, length) = run_of(index);
        let address = self.address(pool, run, place)?;
        pool.words.rest(address + RUN_HEAD + (index - start))?.get(..(length - (index - start)) as usize)
    }

    /// How many numbers are below `limit`. The list is ascending.
    pub(super) fn count_below(&self, pool: &Pool, limit: u32) -> u32 {
        let (mut low, mut high) = (0, self.len());
        // Mostly all are.
        if let Some(last) = high.checked_sub(1)
            && self.get(pool, last, &mut RunPlace::default()).is_some_and(|number| number < limit)
        {
            return high;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(pool, middle, &mut RunPlace::default()) {
                Some(number) if number < limit => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }
}

/// Where a reader of a list last was: which run, and its address.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunPlace(Option<(u32, u32)>);

impl Pool {
    /// Bytes that the pool takes.
    pub(super) fn bytes(&self) -> u64 {
        self.words.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_any_length_give_back_what_was_pushed() {
        let pool = Pool::default();
        let lists: Vec<Postings> = (0..3).map(|_| Postings::default()).collect();
        let counts = [2_u32, 500, 100_000];
        for number in 0..100_000 {
            for (list, count) in lists.iter().zip(counts) {
                if number < count {
                    list.push(&pool, number * 3).unwrap();
                }
            }
        }
        for (list, count) in lists.iter().zip(counts) {
            assert_eq!(list.len(), count);
            let mut place = RunPlace::default();
            for index in 0..count {
                assert_eq!(list.get(&pool, index, &mut place), Some(index * 3));
            }
            for index in (0..count).rev().step_by(7) {
                assert_eq!(list.get(&pool, index, &mut place), Some(index * 3));
            }
            assert_eq!(list.get(&pool, count, &mut place), None);
            for (index, most) in [(0, 1), (0, 100), (1, 2), (2, 20), (10, 1), (11, 64), (499, 64), (20_000, 20_000)] {
                let mut out = vec![u32::MAX; most];
                let found = list.read(&pool, index, &mut place, &mut out);
                let expected: Vec<u32> = (index..count).take(most).map(|number| number * 3).collect();
                assert_eq!(out[..found], expected, "{most} from {index} of {count}");
            }
            for limit in [0, 1, 3, 4, count * 3 - 3, count * 3] {
                assert_eq!(list.count_below(&pool, limit), limit.div_ceil(3).min(count));
            }
        }
    }

    #[test]
    fn every_index_lies_in_its_run_and_runs_follow_each_other() {
        let (mut run, mut end) = (0, 3);
        for index in 3..200_000 {
            if index == end {
                run += u32::from(index > 3);
                end += (8 << run.min(11)).min(1 << 14);
            }
            let length = (8 << run.min(11)).min(1 << 14);
            assert_eq!(run_of(index), (run, end - length, length), "{index}");
        }
        assert_eq!(run_of(u32::MAX).2, 1 << 14);
    }

    #[test]
    fn runs_double_up_to_their_most() {
        assert_eq!(run_of(3), (0, 3, 8));
        assert_eq!(run_of(10), (0, 3, 8));
        assert_eq!(run_of(11), (1, 11, 16));
        let capped = 3 + (1 << 14) - 8;
        assert_eq!(run_of(capped), (11, capped, 1 << 14));
        assert_eq!(run_of(capped + (1 << 14)), (12, capped + (1 << 14), 1 << 14));
    }
}
