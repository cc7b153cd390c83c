//! Names as they are kept: short ones need no memory of their own.

/// A name, which lies here if it has at most `N` bytes.
#[derive(Debug)]
pub(super) enum Name<const N: usize> {
    Short(u8, [u8; N]),
    Long(Box<[u8]>),
}

impl<const N: usize> Name<N> {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut short = [0; N];
        match (short.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(bytes);
                Name::Short(length, short)
            }
            _ => Name::Long(bytes.into()),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Name::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Name::Long(bytes) => bytes,
        }
    }

    /// Bytes of memory that it takes elsewhere.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Name::Short(..) => 0,
            Name::Long(bytes) => bytes.len(),
        }
    }
}
