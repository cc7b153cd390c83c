//! Proving an automaton before it is walked, which takes for granted that it is one, and looking names up in it.
//!
//! The library looks names up as well, at several times the price: it makes a whole node of each byte's.
//!
//! Nodes stand one behind the other, the root last, and lead to nodes before them. So a walk ends, and it stays within the bytes
//! if each node does and each transition leads to where a node is. It yields a key at least once in as many steps as there are
//! bytes, if every node that leads nowhere is the end of a key.

use crate::format::bytes::Fields;

/// Where nodes begin: behind version and type.
const NODES_AT: usize = 16;
/// Behind the nodes: number of keys, the root's address, a checksum that is not looked at.
const TAIL_BYTES: usize = 20;
/// The address of the node that ends a key and leads nowhere. It takes no bytes.
const END_OF_KEY: usize = 0;
const VERSION: u64 = 3;
/// Nodes with more transitions have a table from input to transition.
const MOST_WITHOUT_TABLE: usize = 32;
const TABLE_BYTES: usize = 256;
/// Outputs are numbers of 32 bits, so that no sum of them overflows.
const MOST_OUTPUT_BYTES: usize = 4;

/// Whether these bytes are an automaton of so many keys that can be walked without leaving them or failing to end.
pub(super) fn is_sound(bytes: &[u8], keys: u32) -> bool {
    check(bytes, keys).is_some()
}

fn check(bytes: &[u8], keys: u32) -> Option<()> {
    let nodes_end = bytes.len().checked_sub(TAIL_BYTES)?;
    let mut fields = Fields::new(bytes, 0);
    let (version, kind) = (fields.u64()?, fields.u64()?);
    let mut tail = Fields::new(bytes, nodes_end);
    let (count, root) = (tail.u64()?, usize::try_from(tail.u64()?).ok()?);
    if version != VERSION || kind != 0 || count != u64::from(keys) || nodes_end < NODES_AT {
        return None;
    }
    if root == END_OF_KEY {
        return (nodes_end == NODES_AT && keys == 1).then_some(());
    }
    (root.checked_add(1)? == nodes_end && root >= NODES_AT).then_some(())?;
    let mut targets = Targets { wanted: vec![0; bytes.len().div_ceil(64)], open: 0 };
    let mut address = root;
    loop {
        let node = Node::read(bytes, address)?;
        node.transitions(bytes, |target| targets.want(target))?;
        if node.start == NODES_AT {
            break;
        }
        address = node.start - 1;
        targets.reach(address);
    }
    (targets.open == 0).then_some(())
}

/// The number of a key, if it is there, in an automaton that was proven.
pub(super) fn find(bytes: &[u8], key: impl IntoIterator<Item = u8>) -> Option<u64> {
    let root = Fields::new(bytes, bytes.len().checked_sub(TAIL_BYTES)? + 8).u64()?;
    let (mut address, mut sum) = (usize::try_from(root).ok()?, 0);
    for byte in key {
        let (target, output) = step(bytes, address, byte)?;
        address = target;
        sum += output;
    }
    Some(sum + output_of_end(bytes, address)?)
}

/// Where the transition of this input leads, and its output.
#[inline]
fn step(bytes: &[u8], address: usize, input: u8) -> Option<(usize, u64)> {
    if address == END_OF_KEY {
        return None;
    }
    let state = *bytes.get(address)?;
    if state & 0x80 == 0 {
        let node = Node::read(bytes, address)?;
        let index = node.index_of(bytes, input)?;
        return node.transition(bytes, index);
    }
    // One transition, whose input is one of those that are common, or stands below.
    let known = match COMMON.get(usize::from(state & 0x3f)) {
        Some(0) => *bytes.get(address - 1)?,
        common => *common?,
    };
    if known != input {
        return None;
    }
    match state & 0x40 {
        0 => Node::read(bytes, address)?.transition(bytes, 0),
        _ => Some((address - 1 - usize::from(state & 0x3f == 0), 0)),
    }
}

/// The output where a key ends; `None` where none does.
fn output_of_end(bytes: &[u8], address: usize) -> Option<u64> {
    if address == END_OF_KEY {
        return Some(0);
    }
    if *bytes.get(address)? & 0xc0 != 0x40 {
        return None;
    }
    let node = Node::read(bytes, address)?;
    packed(bytes, node.start, node.out_bytes)
}

/// A packed number: so many bytes, lowest first.
#[inline]
fn packed(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let packed = bytes.get(at..at + size)?;
    Some(packed.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// The inputs that stand within a node's state, from its number 1 on.
const COMMON: &[u8; 64] = b"\0te/oasripcnw.hlm-du012g=:bf3y5&_4v9678k%?xCDASFIBEjPTzRNM+LOqHG";

/// Addresses that transitions lead to.
struct Targets {
    wanted: Vec<u64>,
    /// How many of them no node was found at yet.
    open: usize,
}

impl Targets {
    fn want(&mut self, address: usize) -> Option<()> {
        let word = self.wanted.get_mut(address / 64)?;
        self.open += usize::from(*word >> (address % 64) & 1 == 0);
        *word |= 1 << (address % 64);
        Some(())
    }

    /// Nothing later leads here: nodes lead to lower addresses only.
    fn reach(&mut self, address: usize) {
        let is_wanted = self.wanted.get(address / 64).is_some_and(|word| word >> (address % 64) & 1 != 0);
        self.open -= usize::from(is_wanted);
    }
}

/// A node: where its bytes begin, and how its transitions are packed.
struct Node {
    start: usize,
    transitions: usize,
    /// Where the packed addresses begin, and the bytes of each; none if the one transition leads to the node before.
    addresses: Option<(usize, usize)>,
    /// Behind the inputs, and the table if there is one.
    inputs_end: usize,
    out_bytes: usize,
}

impl Node {
    /// The node whose last byte is at `address`.
    fn read(bytes: &[u8], address: usize) -> Option<Self> {
        let state = *bytes.get(address)?;
        let low = usize::from(state & 0x3f);
        match state >> 6 {
            0b11 => {
                let start = address.checked_sub(usize::from(low == 0))?;
                Self { start, transitions: 1, addresses: None, inputs_end: address, out_bytes: 0 }.within()
            }
            0b10 => {
                let sizes = address.checked_sub(usize::from(low == 0) + 1)?;
                let (to_bytes, out_bytes) = packed_sizes(*bytes.get(sizes)?, 1)?;
                let addresses = sizes.checked_sub(to_bytes)?;
                let start = addresses.checked_sub(out_bytes)?;
                let addresses = Some((addresses, to_bytes));
                Self { start, transitions: 1, addresses, inputs_end: sizes, out_bytes }.within()
            }
            _ => Self::read_any(bytes, address, low, state & 0x40 != 0),
        }
    }

    /// A node of any number of transitions, or one where a key ends.
    fn read_any(bytes: &[u8], address: usize, low: usize, ends_key: bool) -> Option<Self> {
        let (transitions, sizes) = match low {
            0 => match *bytes.get(address.checked_sub(1)?)? {
                1 => (256, address.checked_sub(2)?),
                count => (usize::from(count), address.checked_sub(2)?),
            },
            count => (count, address.checked_sub(1)?),
        };
        if transitions == 0 && !ends_key {
            return None;
        }
        let (to_bytes, out_bytes) = packed_sizes(*bytes.get(sizes)?, transitions)?;
        let table = if transitions > MOST_WITHOUT_TABLE { TABLE_BYTES } else { 0 };
        let addresses = sizes.checked_sub(table + transitions + transitions * to_bytes)?;
        let start = addresses.checked_sub((transitions + usize::from(ends_key)) * out_bytes)?;
        Self { start, transitions, addresses: Some((addresses, to_bytes)), inputs_end: sizes, out_bytes }.within()
    }

    fn within(self) -> Option<Self> {
        (self.start >= NODES_AT).then_some(self)
    }

    /// Which transition has this input, of a node of any number of them.
    fn index_of(&self, bytes: &[u8], input: u8) -> Option<usize> {
        if self.transitions > MOST_WITHOUT_TABLE {
            let table = self.inputs_end.checked_sub(TABLE_BYTES)?;
            let index = usize::from(*bytes.get(table + usize::from(input))?);
            return Some(index).filter(|index| *index < self.transitions);
        }
        // The first of them stands last.
        let inputs = bytes.get(self.inputs_end.checked_sub(self.transitions)?..self.inputs_end)?;
        inputs.iter().position(|byte| *byte == input).map(|place| self.transitions - 1 - place)
    }

    /// Where a transition leads, and its output.
    fn transition(&self, bytes: &[u8], index: usize) -> Option<(usize, u64)> {
        let (at, size) = self.addresses?;
        let place = at + (self.transitions.checked_sub(index + 1)?) * size;
        let distance = usize::try_from(packed(bytes, place, size)?).ok()?;
        let target = if distance == END_OF_KEY { END_OF_KEY } else { self.start.checked_sub(distance)? };
        let output = packed(bytes, at.checked_sub((index + 1) * self.out_bytes)?, self.out_bytes)?;
        Some((target, output))
    }

    /// Gives every address that a transition leads to, the end of a key apart.
    fn transitions(&self, bytes: &[u8], mut each: impl FnMut(usize) -> Option<()>) -> Option<()> {
        let Some((at, size)) = self.addresses else { return each(self.start.checked_sub(1)?) };
        for index in 0..self.transitions {
            let distance = packed(bytes, at + index * size, size)?;
            if let Some(distance) = usize::try_from(distance).ok().filter(|distance| *distance != END_OF_KEY) {
                let target = self.start.checked_sub(distance).filter(|target| *target >= NODES_AT);
                each(target?)?;
            }
        }
        Some(())
    }
}

/// Bytes of a packed address, at least one where there are any, and of a packed output.
fn packed_sizes(byte: u8, transitions: usize) -> Option<(usize, usize)> {
    let (to_bytes, out_bytes) = (usize::from(byte >> 4), usize::from(byte & 0xf));
    let fits = to_bytes <= 8 && out_bytes <= MOST_OUTPUT_BYTES && (to_bytes > 0 || transitions == 0);
    fits.then_some((to_bytes, out_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fst::raw::{Builder, Fst};
    use fst::{IntoStreamer, Streamer};

    fn automaton(keys: &[&[u8]]) -> Vec<u8> {
        let mut builder = Builder::memory();
        for (number, key) in (0..).zip(keys) {
            builder.insert(key, number).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn samples() -> Vec<(u32, Vec<u8>)> {
        let numbers: Vec<Vec<u8>> = (0..3_000).map(|number| format!("stream-{number:05}").into_bytes()).collect();
        let every: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte, byte, 1]).collect();
        let half: Vec<Vec<u8>> = (0..=100).map(|byte| vec![b'a', byte]).collect();
        let mut samples = Vec::new();
        for keys in [numbers, every, half] {
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            samples.push((u32::try_from(keys.len()).unwrap(), automaton(&keys)));
        }
        let texts: [&[&[u8]]; 4] = [&[b""], &[b"", b"a"], &[b"a"], &[b"a", b"ab", b"abc", b"b", b"xbc"]];
        samples.extend(texts.iter().map(|keys| (u32::try_from(keys.len()).unwrap(), automaton(keys))));
        samples
    }

    #[test]
    fn what_the_library_writes_is_sound() {
        for (keys, bytes) in samples() {
            assert!(is_sound(&bytes, keys), "{keys} keys, {} bytes", bytes.len());
            assert!(!is_sound(&bytes, keys + 1));
            assert!(!is_sound(&bytes[..bytes.len() - 1], keys));
        }
        assert!(!is_sound(&automaton(&[]), 0), "a dictionary of nothing takes no bytes");
    }

    /// Walks what is sound, and says whether it is.
    fn walk(bytes: &[u8], keys: u32) -> bool {
        if !is_sound(bytes, keys) {
            return false;
        }
        let fst = Fst::new(bytes).unwrap();
        for key in [&b""[..], b"a", b"ab", b"stream-00", b"stream-00017", &[200, 200, 1], b"xbc"] {
            assert_eq!(find(bytes, key.iter().copied()), fst.get(key).map(|output| output.value()), "{key:?}");
            let _ = fst.get_key(key.len() as u64);
            let mut stream = fst.range().ge(key).into_stream();
            for _ in 0..8 {
                let _ = stream.next();
            }
        }
        true
    }

    #[test]
    fn every_key_is_found_and_nothing_else() {
        let inputs: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte, 255 - byte, b'x', byte]).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        for bytes in samples().into_iter().map(|(_, bytes)| bytes).chain([automaton(&inputs)]) {
            let fst = Fst::new(&bytes[..]).unwrap();
            let mut stream = fst.stream();
            while let Some((key, output)) = stream.next() {
                assert_eq!(find(&bytes, key.iter().copied()), Some(output.value()), "{key:?}");
                for other in [&[key, b"x"].concat()[..], &key[..key.len().saturating_sub(1)]] {
                    assert_eq!(find(&bytes, other.iter().copied()), fst.get(other).map(|output| output.value()));
                }
            }
        }
    }

    #[test]
    fn what_is_sound_can_be_walked_whatever_was_changed() {
        let mut random = fastrand::Rng::with_seed(7);
        let samples = samples();
        let (mut sound, mut not) = (0, 0);
        for _ in 0..20_000 {
            let (keys, bytes) = &samples[random.usize(0..samples.len())];
            let mut bytes = bytes.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(0..bytes.len());
                bytes[at] = random.u8(..);
            }
            if walk(&bytes, *keys) {
                sound += 1;
            } else {
                not += 1;
            }
        }
        assert!(sound > 500 && not > 5_000, "{sound} sound, {not} not");
    }

    #[test]
    fn every_value_of_every_byte_of_a_small_automaton_is_refused_or_can_be_walked() {
        for (keys, bytes) in samples().into_iter().filter(|(_, bytes)| bytes.len() < 100) {
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                for value in 0..=255 {
                    changed[at] = value;
                    walk(&changed, keys);
                }
            }
        }
    }
}
