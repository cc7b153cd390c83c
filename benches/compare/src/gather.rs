//! A simple hand-off: appenders gather, the last of a cohort to arrive leads, does the work of all, and wakes them.
//!
//! The physical limits and the engines without group commit of their own stand behind the same one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an incomplete cohort is waited for: about as long as a sync.
const PATIENCE: Duration = Duration::from_micros(300);

/// Gathers items of type `T`, each of which gets an answer of type `R`.
pub struct Gather<T, R> {
    state: Mutex<State<T, R>>,
}

struct State<T, R> {
    /// What waits for the next leader.
    items: Vec<T>,
    /// Where those who wait for it wait.
    batch: Arc<Batch<R>>,
    /// Whether someone leads.
    led: bool,
    /// How many items make a cohort: as many as the last had, and waited when it was done.
    cohort: usize,
    batches: u64,
}

struct Batch<R> {
    answers: Mutex<Option<Vec<Option<R>>>>,
    wake: Condvar,
}

impl<R> Batch<R> {
    fn new() -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(None), wake: Condvar::new() })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T, R> Gather<T, R> {
    /// Nobody waits yet.
    pub fn new() -> Self {
        let state = State { items: Vec::new(), batch: Batch::new(), led: false, cohort: 1, batches: 0 };
        Self { state: Mutex::new(state) }
    }

    /// How many batches were worked on.
    pub fn batches(&self) -> u64 {
        lock(&self.state).batches
    }

    /// Hands the item over and waits for its answer. `work` is given all that gathered, and answers each, in order; it is this
    /// thread's when this thread leads. `None` when the leader's work gave no answer.
    pub fn submit(&self, item: T, work: impl FnOnce(Vec<T>) -> Vec<R>) -> Option<R> {
        let mut state = lock(&self.state);
        let place = state.items.len();
        state.items.push(item);
        let batch = Arc::clone(&state.batch);
        let mut impatient = false;
        loop {
            if let Some(answers) = lock(&batch.answers).as_mut() {
                return answers.get_mut(place).and_then(Option::take);
            }
            let complete = impatient || state.items.len() >= state.cohort;
            if complete && !state.led && Arc::ptr_eq(&state.batch, &batch) {
                break;
            }
            if place > 0 {
                state = batch.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // The first of a batch looks after it, should the others not come.
            let (guard, timeout) = batch.wake.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            impatient = timeout.timed_out() && !guard.led;
            state = guard;
        }
        let items = std::mem::take(&mut state.items);
        state.batch = Batch::new();
        state.led = true;
        drop(state);
        let count = items.len();
        let mut answers: Vec<Option<R>> = work(items).into_iter().map(Some).collect();
        let answer = answers.get_mut(place).and_then(Option::take);
        let mut state = lock(&self.state);
        *lock(&batch.answers) = Some(answers);
        state.led = false;
        state.batches += 1;
        state.cohort = count + state.items.len();
        drop(state);
        batch.wake.notify_all();
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets eight threads submit so often, and returns in how many batches that went.
    fn batches(calls: u64) -> u64 {
        let gather = Gather::<u64, u64>::new();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let gather = &gather;
                scope.spawn(move || {
                    for call in 0..calls {
                        let item = thread * 1_000 + call;
                        let work = |items: Vec<u64>| {
                            std::thread::sleep(Duration::from_micros(50));
                            items.into_iter().map(|item| item * 2).collect()
                        };
                        assert_eq!(gather.submit(item, work), Some(item * 2));
                    }
                });
            }
        });
        gather.batches()
    }

    #[test]
    fn each_gets_its_own_answer_and_all_who_come_back_are_waited_for() {
        // Seven and more of eight at a time; on a busy machine some are late, so that one good run of several is enough.
        let seen: Vec<u64> = (0..10).map(|_| batches(100)).take_while(|batches| *batches > 115).collect();
        assert!(seen.len() < 10, "{seen:?} batches of 800 items");
    }

    #[test]
    fn one_alone_does_not_wait() {
        let gather = Gather::<(), ()>::new();
        let begun = std::time::Instant::now();
        (0..1_000).for_each(|_| assert_eq!(gather.submit((), |items| items), Some(())));
        assert_eq!(gather.batches(), 1_000);
        assert!(begun.elapsed() < 500 * PATIENCE, "{:?}", begun.elapsed());
    }
}
