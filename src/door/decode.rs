//! Decoder of the answers of DuckDB's UI server: results whose columns are all `VARCHAR`, errors, and
//! tokens. Pure.
//!
//! An answer is in DuckDB's binary serialization: an object is fields and an end, a field is its ID in two
//! bytes and a value, and numbers have seven bits per byte, the lowest first. Nothing is copied.

/// ID that ends an object.
const END: u16 = 0xffff;
/// ID of the type `VARCHAR`.
const VARCHAR: u64 = 25;

/// Reason why bytes are not an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("DuckDB's answer is not as expected at byte {at}: {what}")]
pub struct DecodeError {
    /// Position in the answer.
    pub at: usize,
    pub what: &'static str,
}

/// Maximum number of names, types and values of an answer together. The door asks for fewer.
const MAX_ITEMS: usize = 1 << 19;

/// Answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    Table(Table<'a>),
    /// Error of the query: JSON, or words.
    Failure(&'a str),
}

/// Result of a query, with all of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table<'a> {
    /// Names of the columns.
    pub names: Vec<&'a str>,
    /// Values of each column. `None` is NULL. All columns have the same length.
    pub columns: Vec<Vec<Option<&'a str>>>,
}

impl<'a> Table<'a> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// Returns the value in a row and a column. `None` is NULL, or a place outside of the table.
    pub fn value(&self, row: usize, column: usize) -> Option<&'a str> {
        *self.columns.get(column)?.get(row)?
    }
}

/// Decodes the answer to a query.
///
/// # Errors
/// If the bytes are not one whole answer, or a column is not a `VARCHAR`.
pub fn decode(bytes: &[u8]) -> Result<Answer<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let answer = if reader.success()? {
        Answer::Table(reader.table()?)
    } else {
        Answer::Failure(reader.failure()?)
    };
    reader.end()?;
    reader.finish()?;
    Ok(answer)
}

/// Returns the error of a query, or `None` if it succeeded. Its result may have columns of all types.
///
/// # Errors
/// If the bytes don't begin an answer, or are not one whole error.
pub fn decode_failure(bytes: &[u8]) -> Result<Option<&str>, DecodeError> {
    if (Reader::new(bytes)).success()? {
        return Ok(None);
    }
    match decode(bytes)? {
        Answer::Failure(text) => Ok(Some(text)),
        Answer::Table(_) => Ok(None),
    }
}

/// Decodes the tokens of a text: the first byte and the kind of each.
///
/// # Errors
/// If the bytes are not a whole list of tokens.
pub fn decode_tokens(bytes: &[u8]) -> Result<Vec<(usize, u64)>, DecodeError> {
    let mut reader = Reader::new(bytes);
    reader.field(100)?;
    let starts = reader.list(Reader::number)?;
    reader.field(101)?;
    let kinds = reader.list(Reader::number)?;
    if starts.len() != kinds.len() {
        return Err(reader.error("a token has no kind"));
    }
    reader.end()?;
    reader.finish()?;
    let starts = starts
        .into_iter()
        .map(|it| usize::try_from(it).unwrap_or(usize::MAX));
    Ok(starts.zip(kinds).collect())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Number of values so far.
    items: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            items: 0,
        }
    }

    /// Counts values. Each takes more memory here than an empty one has bytes in the answer.
    fn count(&mut self, items: usize) -> Result<(), DecodeError> {
        self.items = self.items.saturating_add(items);
        if self.items > MAX_ITEMS {
            return Err(self.error("the answer has too many values"));
        }
        Ok(())
    }

    fn error(&self, what: &'static str) -> DecodeError {
        DecodeError { at: self.at, what }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        if count > rest.len() {
            return Err(self.error("the answer ends too early"));
        }
        self.at += count;
        Ok(&rest[..count])
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn id(&mut self) -> Result<u16, DecodeError> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn field(&mut self, expected: u16) -> Result<(), DecodeError> {
        match self.id()? {
            id if id == expected => Ok(()),
            _ => Err(self.error("another field was expected")),
        }
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        self.field(END)
    }

    fn finish(&self) -> Result<(), DecodeError> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(self.error("the answer goes on after its end"))
    }

    fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("a truth value was expected")),
        }
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.error("a number is too large"))
    }

    /// Reads a length. Each of the things takes a byte at least, so a longer list can't be there.
    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = self.number()?;
        let rest = self.bytes.len() - self.at;
        let length = usize::try_from(length).ok().filter(|it| *it <= rest);
        length.ok_or_else(|| self.error("the answer ends too early"))
    }

    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let length = self.length()?;
        self.count(length)?;
        (0..length).map(|_| item(self)).collect()
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.error("a text is not UTF-8"))
    }

    /// Reads the first field of an answer.
    fn success(&mut self) -> Result<bool, DecodeError> {
        self.field(100)?;
        self.bool()
    }

    fn failure(&mut self) -> Result<&'a str, DecodeError> {
        self.field(101)?;
        self.text()
    }

    fn table(&mut self) -> Result<Table<'a>, DecodeError> {
        self.field(101)?;
        self.field(100)?;
        let names = self.list(Self::text)?;
        self.field(101)?;
        let types = self.list(Self::varchar)?;
        if types.len() != names.len() {
            return Err(self.error("a column has no type"));
        }
        self.end()?;
        let mut columns = vec![Vec::new(); names.len()];
        self.field(102)?;
        for _ in 0..self.length()? {
            self.chunk(&mut columns)?;
        }
        Ok(Table { names, columns })
    }

    /// Reads a type, which must be `VARCHAR`.
    fn varchar(&mut self) -> Result<(), DecodeError> {
        self.field(100)?;
        if self.number()? != VARCHAR {
            return Err(self.error("a column is not a VARCHAR"));
        }
        self.end()
    }

    /// Reads some rows.
    fn chunk(&mut self, columns: &mut [Vec<Option<&'a str>>]) -> Result<(), DecodeError> {
        self.field(100)?;
        let rows = self.number()?;
        self.field(101)?;
        if self.length()? != columns.len() {
            return Err(self.error("a row has another number of columns"));
        }
        for column in columns {
            self.vector(rows, column)?;
        }
        self.end()
    }

    /// Reads the values of a column.
    fn vector(&mut self, rows: u64, column: &mut Vec<Option<&'a str>>) -> Result<(), DecodeError> {
        self.field(100)?;
        let validity = if self.bool()? {
            self.field(101)?;
            Some(self.bytes()?)
        } else {
            None
        };
        if validity.is_some_and(|mask| (mask.len() as u64) < rows.div_ceil(8)) {
            return Err(self.error("it is unknown which values are NULL"));
        }
        self.field(102)?;
        let length = self.length()?;
        if length as u64 != rows {
            return Err(self.error("a column has another number of rows"));
        }
        self.count(length)?;
        for row in 0..length {
            // A NULL has a text too, of any bytes.
            let is_valid = validity.is_none_or(|mask| mask[row / 8] >> (row % 8) & 1 == 1);
            column.push(if is_valid {
                Some(self.text()?)
            } else {
                self.bytes()?;
                None
            });
        }
        self.end()
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
