//! The closed blocks of the index, in SQLite. The only module that knows it.
//!
//! Blocks are written once and never changed, so they are only ever appended; a reader that sees a block sees all of it.

use std::cell::OnceCell;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use procura_core::query::Field;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::bits::{Bits, each_row, encode};
use super::block::{Block, Spot, decode_spots, encode_spots};
use super::columns::{Columns, IndexError};
use crate::durable;

const FILE: &str = "decisions.sqlite";

/// What SQLite puts beside its file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// More decisions than the largest record and a block together can have.
const MOST_ROWS: u32 = 1 << 21;

/// Says that the file is an index of ours; the version rises with every change of what is below.
const APPLICATION: i32 = 0x5052_4f43;
const VERSION: i32 = 4;

/// One row of `posting` for each value of each field of each block. Its key begins with the block, so that whatever the
/// values are, new rows come last.
const SCHEMA: &str = "
    PRAGMA page_size = 16384;
    PRAGMA journal_mode = WAL;
    BEGIN;
    CREATE TABLE block (
        first INTEGER PRIMARY KEY, last INTEGER, rows INTEGER, earliest INTEGER, latest INTEGER,
        spots BLOB, hash TEXT, checksum INTEGER
    );
    CREATE TABLE posting (
        block INTEGER, field INTEGER, value TEXT, rows BLOB, PRIMARY KEY (block, field, value)
    ) WITHOUT ROWID;
    COMMIT;";

/// A closed block, without what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BlockInfo {
    /// Its records, from the first to before the last number.
    pub(super) records: Range<u64>,
    /// How many decisions they have.
    pub(super) rows: u32,
    /// Their earliest and latest instant, in nanoseconds since 1970.
    pub(super) times: (i64, i64),
    /// Chain hash after the last record.
    pub(super) hash: String,
}

/// The closed blocks.
pub(super) struct Store {
    dir: PathBuf,
    /// Connections that nobody uses at the moment.
    idle: Mutex<Vec<Connection>>,
}

/// The one connection that changes the store.
pub(super) struct Writer(Connection);

impl Store {
    /// The store in `dir`, not yet opened.
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), idle: Mutex::default() }
    }

    /// Opens what is there, and says what it holds; begins anew if that cannot be used.
    pub(super) fn open(&self) -> Result<(Writer, Vec<BlockInfo>), IndexError> {
        self.open_existing().or_else(|_| Ok((self.begin()?, Vec::new())))
    }

    /// The store in `dir`, which another process may be writing; `None` if there is none that can be used.
    pub(super) fn open_to_read(dir: &Path) -> Option<(Self, Vec<BlockInfo>)> {
        let store = Self::new(dir);
        let blocks = store.with(|connection| {
            check(connection)?;
            blocks(connection)
        });
        blocks.ok().map(|blocks| (store, blocks))
    }

    /// Takes everything away and begins anew.
    pub(super) fn begin(&self) -> Result<Writer, IndexError> {
        self.lock().clear();
        durable::create_dir(&self.dir).map_err(|error| IndexError::Store(error.to_string()))?;
        for end in [""].into_iter().chain(BESIDE) {
            let path = self.dir.join(format!("{FILE}{end}"));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(IndexError::Store(error.to_string()));
                }
                _ => {}
            }
        }
        let private = durable::private_file().create(true).append(true).open(self.dir.join(FILE));
        private.map_err(|error| IndexError::Store(error.to_string()))?;
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", VERSION)?;
        for_writing(&connection)?;
        Ok(Writer(connection))
    }

    fn open_existing(&self) -> Result<(Writer, Vec<BlockInfo>), IndexError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        check(&connection)?;
        for_writing(&connection)?;
        let blocks = blocks(&connection)?;
        Ok((Writer(connection), blocks))
    }

    /// Whether everything in the block is as it was written.
    pub(super) fn verify(&self, info: &BlockInfo) -> Result<(), IndexError> {
        self.with(|connection| {
            let first = info.records.start.cast_signed();
            let mut block =
                connection.prepare_cached("SELECT spots, checksum FROM block WHERE first = ?1")?;
            let (spots, expected): (Vec<u8>, u32) =
                block.query_row([first], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut sum = crc32fast::Hasher::new();
            sum.update(&spots);
            let mut postings = connection
                .prepare_cached("SELECT value, rows FROM posting WHERE block = ?1 ORDER BY field, value")?;
            let mut rows = postings.query([first])?;
            while let Some(row) = rows.next()? {
                sum_posting(&mut sum, row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_blob()?);
            }
            if sum.finalize() == expected {
                Ok(())
            } else {
                Err(IndexError::Damaged("a checksum does not fit"))
            }
        })
    }

    /// Shows `each` a block.
    pub(super) fn read<T>(
        &self,
        info: &BlockInfo,
        each: impl FnOnce(&dyn Columns) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        self.with(|connection| each(&StoredBlock { connection, info, spots: OnceCell::new() }))
    }

    /// Lends a connection to `use_it`; after an error it is not used again.
    fn with<T>(&self, use_it: impl FnOnce(&Connection) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let idle = self.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let done = use_it(&connection)?;
        self.lock().push(connection);
        Ok(done)
    }

    fn connect(&self, access: OpenFlags) -> Result<Connection, IndexError> {
        let path = self.dir.join(FILE);
        let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // 16 MiB of pages for each connection; nobody waits for a lock for long, as there is one writer.
        connection.execute_batch("PRAGMA cache_size = -16384; PRAGMA busy_timeout = 5000;")?;
        Ok(connection)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Keeps a block, all of it or nothing.
    pub(super) fn keep(&mut self, block: &Block) -> Result<BlockInfo, IndexError> {
        let transaction = self.0.transaction()?;
        let records = block.range();
        let first = records.start.cast_signed();
        let spots = encode_spots(&block.spots);
        let mut sum = crc32fast::Hasher::new();
        sum.update(&spots);
        {
            let mut insert = transaction.prepare_cached("INSERT INTO posting VALUES (?1, ?2, ?3, ?4)")?;
            for (field, postings) in block.postings.iter().enumerate() {
                let mut sorted: Vec<_> = postings.iter().collect();
                sorted.sort_unstable();
                for (value, rows) in sorted {
                    let rows = encode(rows, block.rows);
                    sum_posting(&mut sum, value, &rows);
                    insert.execute(params![first, field as i64, value, rows])?;
                }
            }
        }
        let (earliest, latest) = block.times;
        transaction.execute(
            "INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                first,
                records.end.cast_signed() - 1,
                block.rows,
                earliest,
                latest,
                spots,
                block.hash,
                sum.finalize()
            ],
        )?;
        transaction.commit()?;
        Ok(BlockInfo { records, rows: block.rows, times: block.times, hash: block.hash.clone() })
    }

    /// Takes the blocks away whose first record is below `below`, or not below `from`.
    pub(super) fn drop_blocks(&mut self, below: u64, from: u64) -> Result<(), IndexError> {
        let (below, from) = (clamp(below), clamp(from));
        let transaction = self.0.transaction()?;
        transaction.execute("DELETE FROM posting WHERE block < ?1 OR block >= ?2", [below, from])?;
        transaction.execute("DELETE FROM block WHERE first < ?1 OR first >= ?2", [below, from])?;
        transaction.commit()?;
        Ok(())
    }
}

/// What is lost at a power cut is indexed again; what is there is whole. What is taken away is overwritten, as it names
/// people.
fn for_writing(connection: &Connection) -> Result<(), IndexError> {
    Ok(connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;")?)
}

fn check(connection: &Connection) -> Result<(), IndexError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if number("application_id")? == APPLICATION && number("user_version")? == VERSION {
        Ok(())
    } else {
        Err(IndexError::Damaged("it is of another version"))
    }
}

/// The blocks that follow one another without a gap, oldest first.
fn blocks(connection: &Connection) -> Result<Vec<BlockInfo>, IndexError> {
    let mut query =
        connection.prepare("SELECT first, last, rows, earliest, latest, hash FROM block ORDER BY first")?;
    let rows = query.query_map([], |row| {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(BlockInfo {
            records: first.cast_unsigned()..last.cast_unsigned().wrapping_add(1),
            rows: row.get(2)?,
            times: (row.get(3)?, row.get(4)?),
            hash: row.get(5)?,
        })
    })?;
    let blocks = rows.collect::<Result<Vec<_>, _>>()?;
    let follow = blocks.iter().zip(blocks.iter().skip(1)).all(|(a, b)| a.records.end == b.records.start);
    let whole = |block: &BlockInfo| !block.records.is_empty() && block.rows <= MOST_ROWS;
    if follow && blocks.iter().all(whole) {
        Ok(blocks)
    } else {
        Err(IndexError::Damaged("blocks are missing"))
    }
}

fn sum_posting(sum: &mut crc32fast::Hasher, value: &str, rows: &[u8]) {
    sum.update(&(value.len() as u64).to_le_bytes());
    sum.update(value.as_bytes());
    sum.update(rows);
}

fn clamp(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A block that is read as it is asked.
struct StoredBlock<'c> {
    connection: &'c Connection,
    info: &'c BlockInfo,
    spots: OnceCell<Vec<Spot>>,
}

impl StoredBlock<'_> {
    fn first(&self) -> i64 {
        self.info.records.start.cast_signed()
    }

    /// Shows the values from `from` on for as long as `each` wants more.
    fn values(
        &self,
        field: Field,
        from: &str,
        mut each: impl FnMut(&str, &[u8]) -> Option<bool>,
    ) -> Result<(), IndexError> {
        let mut query = self.connection.prepare_cached(
            "SELECT value, rows FROM posting WHERE block = ?1 AND field = ?2 AND value >= ?3 ORDER BY value",
        )?;
        let mut found = query.query(params![self.first(), field as i64, from])?;
        while let Some(row) = found.next()? {
            let more = each(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_blob()?);
            if !more.ok_or(NO_ROWS)? {
                break;
            }
        }
        Ok(())
    }
}

const NO_ROWS: IndexError = IndexError::Damaged("a set of rows is none");

impl Columns for StoredBlock<'_> {
    fn rows(&self) -> u32 {
        self.info.rows
    }

    fn is(&self, field: Field, value: &str) -> Result<Bits, IndexError> {
        let mut bits = Bits::none(self.info.rows);
        let mut query = self
            .connection
            .prepare_cached("SELECT rows FROM posting WHERE block = ?1 AND field = ?2 AND value = ?3")?;
        let mut found = query.query(params![self.first(), field as i64, value])?;
        if let Some(row) = found.next()? {
            bits.add_encoded(row.get_ref(0)?.as_blob()?).ok_or(NO_ROWS)?;
        }
        Ok(bits)
    }

    fn starts_with(&self, field: Field, prefix: &str) -> Result<Bits, IndexError> {
        let mut bits = Bits::none(self.info.rows);
        self.values(field, prefix, |value, rows| {
            let more = value.starts_with(prefix);
            if more {
                bits.add_encoded(rows)?;
            }
            Some(more)
        })?;
        Ok(bits)
    }

    fn each_value(&self, field: Field, each: &mut dyn FnMut(&str, &[u32])) -> Result<(), IndexError> {
        let mut numbers = Vec::new();
        self.values(field, "", |value, rows| {
            numbers.clear();
            each_row(rows, |row| numbers.push(row))?;
            each(value, &numbers);
            Some(true)
        })
    }

    fn spots(&self) -> Result<&[Spot], IndexError> {
        if let Some(spots) = self.spots.get() {
            return Ok(spots);
        }
        let mut query = self.connection.prepare_cached("SELECT spots FROM block WHERE first = ?1")?;
        let bytes: Option<Vec<u8>> = query.query_row([self.first()], |row| row.get(0)).optional()?;
        let records = &self.info.records;
        let count = usize::try_from(records.end - records.start).unwrap_or(usize::MAX);
        let spots = bytes.and_then(|bytes| decode_spots(&bytes, records.start, count));
        let spots = spots.ok_or(IndexError::Damaged("the places of a block are none"))?;
        Ok(self.spots.get_or_init(|| spots))
    }

    fn times(&self) -> (i64, i64) {
        self.info.times
    }
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> Self {
        IndexError::Store(error.to_string())
    }
}

impl From<rusqlite::types::FromSqlError> for IndexError {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        IndexError::Store(error.to_string())
    }
}
