//! Who waits for a sync, who leads it, and what became of it: the part of group commit that must lose nobody.
//!
//! It knows no engine and no clock, so that models can run it in every order.

use crate::format::place::Place;
use crate::vocabulary::sync::{Bell, Mutex, OnceLock};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// How often who watches goes on waiting when its patience is over, if others have arrived meanwhile: a large cohort takes its
/// time.
const EXTENSIONS: u32 = 1;

/// Those who wait, and the cause for which they need wait no more.
#[derive(Debug)]
pub(super) struct Gathering {
    state: Mutex<State>,
    /// What they sleep on: those of one cohort on one bell, those who come while it is led on the other.
    bells: [Bell; 2],
    poison: OnceLock<Arc<str>>,
}

#[derive(Debug)]
struct State {
    leading: bool,
    /// How many have come since the last batch was taken.
    arrived: usize,
    /// How many make the cohort complete.
    expected: usize,
    /// Who comes now sleeps on this bell.
    bell: usize,
    waiters: Vec<Waiter>,
    /// The number of the next visit.
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    visit: u64,
    place: Place,
    bell: usize,
    /// Whether it wakes by itself, should the cohort not become complete: one does for all.
    watches: bool,
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
    /// Its number, once it counts among the arrived.
    number: Option<u64>,
    /// How many had arrived when it last looked.
    seen: usize,
    /// How often it may go on waiting because others have arrived since.
    extensions: u32,
}

impl<P: Patience> Visit<P> {
    pub(super) fn new(place: Place, patience: P) -> Self {
        Self { place, patience, number: None, seen: 0, extensions: EXTENSIONS }
    }
}

impl<P: Patience> Visit<P> {
    /// Whether it has waited long enough for the rest of a cohort, of which so many have arrived.
    fn has_waited(&mut self, arrived: usize) -> bool {
        let before = std::mem::replace(&mut self.seen, arrived);
        if !self.patience.is_over() {
            return false;
        }
        if arrived == before || self.extensions == 0 {
            return true;
        }
        self.extensions -= 1;
        self.patience.renew();
        // It begins now.
        self.patience.is_over()
    }
}

/// What an appender does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its fate is settled.
    Leave,
    /// Leads, and calls [`Gathering::end`] on every way out.
    Lead,
    /// Sleeps until it is woken, or its patience is over: it looks after those who sleep without an end.
    Watch(Bed),
    /// Sleeps until it is woken.
    Follow(Bed),
}

/// Where to sleep, for [`Gathering::sleep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bed {
    bell: usize,
    rings: u64,
}

impl Default for Gathering {
    fn default() -> Self {
        let state = State { leading: false, arrived: 0, expected: 1, bell: 0, waiters: Vec::new(), next: 0 };
        Self { state: Mutex::new(state), bells: [Bell::new(), Bell::new()], poison: OnceLock::new() }
    }
}

impl Gathering {
    /// Decides what an appender does now. Who is to sleep is on the list of those who are woken before this returns.
    ///
    /// `is_settled` says whether its place is visible or never will be. It is asked, it is seen whether someone leads, and the
    /// rings are counted, under the lock that who wakes takes after settling and before ringing: so no wake-up falls between the
    /// question and the sleep.
    pub(super) fn next(&self, visit: &mut Visit<impl Patience>, is_settled: impl FnOnce() -> bool) -> Role {
        let mut state = self.state.lock();
        let watched = take_off(&mut state, visit.number);
        if is_settled() {
            self.hand_over(state, watched);
            return Role::Leave;
        }
        let number = *visit.number.get_or_insert_with(|| {
            state.arrived += 1;
            state.next += 1;
            state.next
        });
        if state.leading {
            visit.patience.renew();
        } else if state.arrived >= state.expected || visit.has_waited(state.arrived) {
            state.leading = true;
            state.bell = 1 - state.bell;
            // Those who are here are led. Who comes from now on may be too late for that, and is looked after anew.
            state.waiters.iter_mut().for_each(|waiter| waiter.watches = false);
            return Role::Lead;
        }
        let watches = !is_watched(&state.waiters);
        let bell = state.bell;
        state.waiters.push(Waiter { visit: number, place: visit.place, bell, watches });
        let bed = Bed { bell, rings: self.rings(bell) };
        if watches { Role::Watch(bed) } else { Role::Follow(bed) }
    }

    /// Sleeps until it is time to ask [`Gathering::next`] again, or for so long at most.
    pub(super) fn sleep(&self, bed: Bed, most: Duration) {
        if let Some(bell) = self.bells.get(bed.bell) {
            bell.sleep(bed.rings, most);
        }
    }

    /// Takes a visit off the list of waiters.
    pub(super) fn leave<P>(&self, visit: &Visit<P>) {
        let mut state = self.state.lock();
        let watched = take_off(&mut state, visit.number);
        self.hand_over(state, watched);
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
        // Those who sleep on for want of room in the batch, or of a batch at all, may have nobody to watch for them any more.
        let orphaned = !is_watched(&rest);
        let bells = Self::bells_of(done.iter().chain(rest.iter().filter(|_| orphaned)));
        state.waiters = rest;
        drop(state);
        self.wake(bells);
    }

    /// Whether someone writes and syncs now.
    pub(super) fn is_led(&self) -> bool {
        self.state.lock().leading
    }

    /// Wakes everyone, to look at what has changed.
    pub(super) fn wake_all(&self) {
        let waiters = std::mem::take(&mut self.state.lock().waiters);
        self.wake(Self::bells_of(waiters.iter()));
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

    fn rings(&self, bell: usize) -> u64 {
        self.bells.get(bell).map_or(0, Bell::rings)
    }

    /// Which bells these sleep on.
    fn bells_of<'w>(waiters: impl Iterator<Item = &'w Waiter>) -> [bool; 2] {
        let mut bells = [false; 2];
        for waiter in waiters {
            if let Some(bell) = bells.get_mut(waiter.bell) {
                *bell = true;
            }
        }
        bells
    }

    /// Wakes everyone who sleeps on these: who has no reason to be awake sleeps on.
    fn wake(&self, bells: [bool; 2]) {
        for (bell, _) in self.bells.iter().zip(bells).filter(|(_, rings)| *rings) {
            bell.ring();
        }
    }

    /// Leaves the list. Where nobody looks after those who sleep any more, they are woken: one of them does then.
    fn hand_over(&self, state: impl Deref<Target = State>, unwatched: bool) {
        let bells = Self::bells_of(state.waiters.iter().filter(|_| unwatched));
        drop(state);
        self.wake(bells);
    }
}

fn is_watched(waiters: &[Waiter]) -> bool {
    waiters.iter().any(|waiter| waiter.watches)
}

/// Takes a visit off the list. Says whether it looked after the others.
fn take_off(state: &mut State, visit: Option<u64>) -> bool {
    let Some(place) = state.waiters.iter().position(|waiter| Some(waiter.visit) == visit) else { return false };
    state.waiters.remove(place).watches
}

/// Steps that broken twins do apart, or too late.
#[cfg(all(test, any(loom, shuttle)))]
impl Gathering {
    /// Poisons, and wakes nobody.
    pub(super) fn poison_quietly(&self, cause: &str) {
        self.poison.get_or_init(|| cause.into());
    }

    /// Wakes those who sleep there, for no reason.
    pub(super) fn ring(&self, bed: Bed) {
        if let Some(bell) = self.bells.get(bed.bell) {
            bell.ring();
        }
    }

    /// Puts a visit on the list that was on it, and looks at nothing but how often the bell has rung.
    pub(super) fn list<P>(&self, visit: &Visit<P>) -> Bed {
        let mut state = self.state.lock();
        let bell = state.bell;
        let number = visit.number.unwrap_or_default();
        state.waiters.push(Waiter { visit: number, place: visit.place, bell, watches: false });
        Bed { bell, rings: self.rings(bell) }
    }
}

#[cfg(not(any(loom, shuttle)))]
#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Never has enough, and never begins.
    struct Endless;

    impl Patience for Endless {
        fn is_over(&mut self) -> bool {
            false
        }

        fn renew(&mut self) {}
    }

    const PLACE: Place = Place { segment: 1, offset: 8 };
    const NOTHING: Place = Place { segment: 0, offset: 0 };

    fn visit() -> Visit<Endless> {
        Visit::new(PLACE, Endless)
    }

    fn bed(role: Role) -> Bed {
        match role {
            Role::Watch(bed) | Role::Follow(bed) => bed,
            other => panic!("{other:?} does not sleep"),
        }
    }

    /// Whether who lay down there is awake already.
    fn is_woken(gathering: &Gathering, bed: Bed) -> bool {
        gathering.bells[bed.bell].rings() > bed.rings
    }

    #[test]
    fn one_watches_and_the_others_follow_until_the_watch_goes() {
        let gathering = Gathering::default();
        let [mut leader, mut watch, mut follower, mut another] = [visit(), visit(), visit(), visit()];
        assert_eq!(gathering.next(&mut leader, || false), Role::Lead);
        assert!(matches!(gathering.next(&mut watch, || false), Role::Watch(_)));
        let role = gathering.next(&mut follower, || false);
        assert!(matches!(role, Role::Follow(_)));
        let second = bed(gathering.next(&mut another, || false));
        assert!(!is_woken(&gathering, bed(role)));
        // One that is settled goes, or one whose time is up: the others are told, and one of them watches.
        assert_eq!(gathering.next(&mut watch, || true), Role::Leave);
        assert!(is_woken(&gathering, bed(role)) && is_woken(&gathering, second));
        assert!(matches!(gathering.next(&mut follower, || false), Role::Watch(_)));
        let second = gathering.next(&mut another, || false);
        assert!(matches!(second, Role::Follow(_)));
        gathering.leave(&follower);
        assert!(is_woken(&gathering, bed(second)));
        let begun = Instant::now();
        gathering.sleep(bed(second), Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30), "who was woken before it slept does not sleep");
    }

    #[test]
    fn whom_a_lead_leaves_behind_without_a_watch_is_woken() {
        let gathering = Gathering::default();
        let [mut leader, mut first, mut second] = [visit(), visit(), visit()];
        assert_eq!(gathering.next(&mut leader, || false), Role::Lead);
        let watch = bed(gathering.next(&mut first, || false));
        let follower = bed(gathering.next(&mut second, || false));
        gathering.end(PLACE, NOTHING);
        assert!(!is_woken(&gathering, watch) && !is_woken(&gathering, follower), "one of them watches");
        // It leads, and comes back with nothing: no seat was to be had.
        assert_eq!(gathering.next(&mut first, || false), Role::Lead);
        gathering.end(PLACE, NOTHING);
        assert!(is_woken(&gathering, follower));
        assert_eq!(gathering.next(&mut second, || false), Role::Lead, "all who are expected are here");
    }
}
