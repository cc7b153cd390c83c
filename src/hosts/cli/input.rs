//! Lines of a file or of stdin, plain or gzip, numbered, in bounded memory.

use crate::exit::{Code, Failure};
use flate2::bufread::MultiGzDecoder;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

/// The longest line that is read.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// The two bytes that every gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Lines, one at a time.
pub(crate) struct Input {
    reader: Box<dyn BufRead>,
    name: String,
    line: Vec<u8>,
    number: u64,
    consumed: Rc<Cell<u64>>,
    /// Bytes of the file as it is on disk, where that is known.
    pub(crate) total: Option<u64>,
}

impl Input {
    /// Opens a file, or stdin for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Self::new(io::stdin().lock(), "stdin");
        }
        let unreadable = |error| Failure::new(Code::BadInput, format_args!("cannot read {}: {error}", path.display()));
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let mut input = Self::new(BufReader::with_capacity(256 << 10, file), &path.display().to_string())?;
        input.total = metadata.is_file().then_some(metadata.len());
        Ok(input)
    }

    /// Reads lines from anything; whether it is gzip shows in its first bytes.
    pub(crate) fn new(mut reader: impl BufRead + 'static, name: &str) -> Result<Self, Failure> {
        // A pipe may hand out one byte at a time, so these are read and put back in front.
        let mut head = Vec::with_capacity(GZIP.len());
        let read = reader.by_ref().take(GZIP.len() as u64).read_to_end(&mut head);
        read.map_err(|error| Failure::new(Code::BadInput, format_args!("cannot read {name}: {error}")))?;
        let consumed = Rc::new(Cell::new(0));
        let compressed = head == GZIP;
        let counted = Counted { inner: Cursor::new(head).chain(reader), consumed: Rc::clone(&consumed) };
        let reader: Box<dyn BufRead> = if compressed {
            Box::new(BufReader::with_capacity(256 << 10, MultiGzDecoder::new(counted)))
        } else {
            Box::new(counted)
        };
        Ok(Self { reader, name: name.to_owned(), line: Vec::new(), number: 0, consumed, total: None })
    }

    /// What the lines come from.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes taken so far, as they are on disk.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed.get()
    }

    /// The next line that is not blank, with its number, counted from 1.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, &[u8])>, Failure> {
        loop {
            self.line.clear();
            self.number += 1;
            let most = LINE_BYTES_MAX as u64 + 1;
            let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.line);
            if let Err(error) = read {
                return Err(Failure::new(Code::BadInput, error).context(self.place(self.number)));
            }
            if self.line.is_empty() {
                return Ok(None);
            }
            let content = self.line.strip_suffix(b"\n").unwrap_or(&self.line).len();
            if content > LINE_BYTES_MAX {
                let words = format_args!("a line of more than {LINE_BYTES_MAX} bytes");
                return Err(Failure::new(Code::BadInput, words).context(self.place(self.number)));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some((self.number, self.line.trim_ascii_end())))
    }

    /// How an error names a line.
    pub(crate) fn place(&self, number: u64) -> String {
        format!("{}, line {number}", self.name)
    }
}

/// Counts what is taken.
struct Counted<R> {
    inner: R,
    consumed: Rc<Cell<u64>>,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.consumed.set(self.consumed.get() + read as u64);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.consumed.set(self.consumed.get() + amount as u64);
        self.inner.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(bytes: Vec<u8>) -> Vec<(u64, String)> {
        let mut input = Input::new(Cursor::new(bytes), "test").unwrap();
        let mut lines = Vec::new();
        while let Some((number, line)) = input.next().unwrap() {
            lines.push((number, String::from_utf8(line.to_vec()).unwrap()));
        }
        lines
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn blank_lines_count_but_do_not_come() {
        let expected = vec![(1, "a".to_owned()), (4, "b".to_owned())];
        assert_eq!(lines(b"a\r\n\n  \nb".to_vec()), expected);
        assert_eq!(lines(gzip(b"a\n\n\nb\n")), expected);
        assert!(lines(Vec::new()).is_empty() && lines(b"\n".to_vec()).is_empty());
        assert_eq!(lines(b"a".to_vec()), vec![(1, "a".to_owned())]);
    }

    #[test]
    fn several_gzip_members_are_one_input() {
        let both = [gzip(b"a\n"), gzip(b"b\n")].concat();
        assert_eq!(lines(both).len(), 2);
    }

    #[test]
    fn a_cut_gzip_file_is_an_error_with_its_line() {
        let mut cut = gzip(&b"{\"some\":\"line\"}\n".repeat(1_000));
        cut.truncate(cut.len() - 9);
        let mut input = Input::new(Cursor::new(cut), "test").unwrap();
        let failure = loop {
            match input.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the end was not missed"),
                Err(failure) => break failure,
            }
        };
        assert_eq!(failure.code, Code::BadInput);
        assert!(failure.message.starts_with("test, line "), "{}", failure.message);
    }

    #[test]
    fn a_line_of_the_longest_length_is_read_and_a_longer_one_is_not() {
        let fits = [vec![b'x'; LINE_BYTES_MAX], b"\ny".to_vec()].concat();
        assert_eq!(lines(fits).len(), 2);
        let mut input = Input::new(io::repeat(b'x').take(LINE_BYTES_MAX as u64 * 2).into_buffered(), "test").unwrap();
        assert_eq!(input.next().unwrap_err().code, Code::BadInput);
    }

    trait IntoBuffered: Read + Sized {
        fn into_buffered(self) -> BufReader<Self> {
            BufReader::new(self)
        }
    }

    impl<R: Read> IntoBuffered for R {}
}
