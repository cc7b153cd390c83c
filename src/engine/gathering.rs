//! Who waits for a sync, who leads it, and what became of it: the part of group commit that must lose nobody.
//!
//! It knows no engine and no clock, so that models can run it in every order.

use crate::format::place::Place;
use crate::vocabulary::sync::{Mutex, OnceLock, Thread, current};
use std::sync::Arc;

/// Those who wait, and the cause for which they need wait no more.
#[derive(Debug)]
pub(super) struct Gathering {
    state: Mutex<State>,
    poison: OnceLock<Arc<str>>,
}

#[derive(Debug)]
struct State {
    leading: bool,
    /// How many have come since the last batch was taken.
    arrived: usize,
    /// How many make the cohort complete.
    expected: usize,
    waiters: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    place: Place,
    thread: Thread,
}

/// How long the rest of a cohort is waited for.
pub(super) trait Patience {
    /// Whether it is over. It begins when this is first asked.
    fn is_over(&mut self) -> bool;
    /// Begins anew when next asked.
    fn renew(&mut self);
}

/// One appender's stay.
#[derive(Debug)]
pub(super) struct Visit<P> {
    pub(super) place: Place,
    pub(super) patience: P,
    /// Whether it counts among the arrived.
    counted: bool,
}

impl<P: Patience> Visit<P> {
    pub(super) fn new(place: Place, patience: P) -> Self {
        Self { place, patience, counted: false }
    }
}

/// What an appender does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its fate is settled.
    Leave,
    /// Leads, and calls [`Gathering::end`] on every way out.
    Lead,
    /// Sleeps until the cohort is complete, or its patience is over.
    Gather,
    /// Sleeps until who leads is done.
    Follow,
}

impl Default for Gathering {
    fn default() -> Self {
        let state = State { leading: false, arrived: 0, expected: 1, waiters: Vec::new() };
        Self { state: Mutex::new(state), poison: OnceLock::new() }
    }
}

impl Gathering {
    /// Decides what an appender does now. Who is to sleep is on the list of those who are woken before this returns.
    ///
    /// `is_settled` says whether its place is visible or never will be. It is asked, and it is seen whether someone leads, under
    /// the lock that who wakes takes after settling: so no wake-up falls between the question and the list.
    pub(super) fn next(&self, visit: &mut Visit<impl Patience>, is_settled: impl FnOnce() -> bool) -> Role {
        let mut state = self.state.lock();
        remove_own(&mut state);
        if is_settled() {
            return Role::Leave;
        }
        if !visit.counted {
            visit.counted = true;
            state.arrived += 1;
        }
        if state.leading {
            visit.patience.renew();
        } else if visit.patience.is_over() || state.arrived >= state.expected {
            state.leading = true;
            return Role::Lead;
        }
        state.waiters.push(Waiter { place: visit.place, thread: current() });
        if state.leading { Role::Follow } else { Role::Gather }
    }

    /// Takes this thread off the list of waiters.
    pub(super) fn leave(&self) {
        remove_own(&mut self.state.lock());
    }

    /// Ends the lead of who waited for `place`, and wakes those whose fate is settled: `visible` is read after publishing.
    pub(super) fn end(&self, place: Place, visible: Place) {
        let poisoned = self.poison().is_some();
        let mut state = self.state.lock();
        let (done, rest): (Vec<Waiter>, Vec<Waiter>) =
            std::mem::take(&mut state.waiters).into_iter().partition(|waiter| waiter.place <= visible || poisoned);
        state.leading = false;
        state.arrived = rest.len();
        state.expected = done.len() + usize::from(place <= visible) + rest.len();
        state.waiters = rest;
        drop(state);
        for waiter in done {
            waiter.thread.unpark();
        }
    }

    /// Whether someone writes and syncs now.
    pub(super) fn is_led(&self) -> bool {
        self.state.lock().leading
    }

    /// Wakes everyone, to look at what has changed.
    pub(super) fn wake_all(&self) {
        let waiters = std::mem::take(&mut self.state.lock().waiters);
        for waiter in waiters {
            waiter.thread.unpark();
        }
    }

    /// The first cause for which nothing more becomes visible, if there is one.
    pub(super) fn poison(&self) -> Option<&Arc<str>> {
        self.poison.get()
    }

    /// Nothing more becomes visible: whoever waits learns of it.
    pub(super) fn set_poison(&self, cause: &str) -> Arc<str> {
        let cause = Arc::clone(self.poison.get_or_init(|| cause.into()));
        self.wake_all();
        cause
    }
}

fn remove_own(state: &mut State) {
    let own = current().id();
    state.waiters.retain(|waiter| waiter.thread.id() != own);
}

/// Steps that broken twins do apart, or too late.
#[cfg(all(test, any(loom, shuttle)))]
impl Gathering {
    /// Poisons, and wakes nobody.
    pub(super) fn poison_quietly(&self, cause: &str) {
        self.poison.get_or_init(|| cause.into());
    }

    /// Puts this thread on the list, and looks at nothing.
    pub(super) fn list(&self, place: Place) {
        self.state.lock().waiters.push(Waiter { place, thread: current() });
    }
}
