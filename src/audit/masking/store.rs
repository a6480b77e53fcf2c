//! The keys of masking on disk, `<data directory>/keys`, for the owner alone.
//!
//! | file | what it is |
//! |---|---|
//! | `mask.key` | the key of hashes, which stays |
//! | `pseudonyms/<id>.key` | the key of pseudonyms of one period |
//! | `pseudonyms/<id>.new` | one that is not in the log yet, so nothing was made with it |
//! | `pseudonyms/<id>.destroyed` | what is left of one that was destroyed, until the log says so |
//!
//! A file is a JSON object: `v`, `id`, `from`, `until` and, unless it is destroyed, `secret`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_core::model::Timestamp;
use procura_core::record::MaskKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::durable::{self, create_dir, sync_dir};

/// Largest file of a key, in bytes.
const FILE_BYTES: u64 = 4096;

/// Hexadecimal digits of a key's id that are made from its secret.
const ID_BYTES: usize = 4;

/// The keys in the directory of a server.
#[derive(Clone, Debug)]
pub struct KeyStore {
    keys: PathBuf,
    pseudonyms: PathBuf,
}

/// A key of pseudonyms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodKey {
    /// The key.
    pub key: MaskKey,
    /// Where its period begins.
    pub from: Timestamp,
    /// Where its period ends; that instant belongs to the next one.
    pub until: Timestamp,
}

/// What is left of a key of pseudonyms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenKey {
    /// Its id.
    pub id: String,
    /// Where its period began.
    pub from: Timestamp,
    /// Where its period ended.
    pub until: Timestamp,
}

#[derive(Deserialize, Serialize)]
struct KeyFile {
    v: u32,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl KeyStore {
    /// The keys of the server with this data directory.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        let keys = data_dir.join("keys");
        Self { pseudonyms: keys.join("pseudonyms"), keys }
    }

    /// Where the keys of pseudonyms are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.pseudonyms
    }

    /// The key of hashes, if there is one.
    pub fn hash_key(&self) -> io::Result<Option<MaskKey>> {
        match KeyFile::read(&self.keys.join("mask.key")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read?.key().map(Some),
        }
    }

    /// The key of hashes, created if there is none.
    pub(super) fn hash_key_or_new(&self) -> io::Result<MaskKey> {
        if let Some(key) = self.hash_key()? {
            return Ok(key);
        }
        let (file, key) = KeyFile::new("h", None)?;
        create_dir(&self.keys)?;
        file.write(&self.keys.join("mask.key"))?;
        Ok(key)
    }

    /// The key of pseudonyms of the period of `at`, if there is one.
    pub fn key_at(&self, at: Timestamp) -> io::Result<Option<PeriodKey>> {
        let keys = self.period_keys()?;
        let of_period = keys.into_iter().filter(|key| key.from <= at && at < key.until);
        Ok(of_period.max_by(|one, other| (one.from, one.key.id()).cmp(&(other.from, other.key.id()))))
    }

    /// A new key that is not to be used yet.
    pub(super) fn prepare(&self, from: Timestamp, until: Timestamp) -> io::Result<PeriodKey> {
        let (file, key) = KeyFile::new("p", Some((from, until)))?;
        create_dir(&self.pseudonyms)?;
        file.write(&self.file(key.id(), "new"))?;
        Ok(PeriodKey { key, from, until })
    }

    /// Lets the `key` that was prepared be used.
    pub(super) fn adopt(&self, key: &PeriodKey) -> io::Result<()> {
        let id = key.key.id();
        fs::rename(self.file(id, "new"), self.file(id, "key"))?;
        sync_dir(&self.pseudonyms)
    }

    /// The keys whose periods end at or before `instant`, oldest first.
    pub fn ended_by(&self, instant: Timestamp) -> io::Result<Vec<PeriodKey>> {
        let mut keys = self.period_keys()?;
        keys.retain(|key| key.until <= instant);
        keys.sort_by_key(|key| (key.from, key.until));
        Ok(keys)
    }

    /// Destroys `key`: its secret is overwritten and removed. What is left says that there was one.
    pub fn forget(&self, key: &PeriodKey) -> io::Result<()> {
        let (id, from, until) = (key.key.id(), key.from, key.until);
        let left = KeyFile { secret: None, ..KeyFile::named(id, Some((from, until))) };
        left.write(&self.file(id, "destroyed"))?;
        self.erase(id)
    }

    /// The keys that were destroyed and are still to be recorded. What was interrupted is brought to its end.
    pub(super) fn forgotten(&self) -> io::Result<Vec<ForgottenKey>> {
        let mut forgotten = Vec::new();
        for path in self.files("destroyed")? {
            let file = KeyFile::read(&path)?;
            self.erase(&file.id)?;
            let (from, until) = file.period()?;
            forgotten.push(ForgottenKey { id: file.id, from, until });
        }
        Ok(forgotten)
    }

    /// Removes what is left of a key once that is recorded.
    pub(super) fn settle(&self, forgotten: &ForgottenKey) -> io::Result<()> {
        fs::remove_file(self.file(&forgotten.id, "destroyed"))
    }

    /// Those that nobody has begun to destroy.
    fn period_keys(&self) -> io::Result<Vec<PeriodKey>> {
        let mut paths = self.files("key")?;
        paths.retain(|path| !path.with_extension("destroyed").exists());
        let read = |path: PathBuf| {
            let file = KeyFile::read(&path)?;
            let (from, until) = file.period()?;
            Ok(PeriodKey { key: file.key()?, from, until })
        };
        paths.into_iter().map(read).collect()
    }

    /// Overwrites and removes the secret of a key, unless that was done.
    fn erase(&self, id: &str) -> io::Result<()> {
        let path = self.file(id, "key");
        let erased = OpenOptions::new().write(true).open(&path).and_then(|mut file| {
            let len = usize::try_from(file.metadata()?.len()).unwrap_or(0);
            file.write_all(&vec![0; len])?;
            file.sync_all()?;
            fs::remove_file(&path)
        });
        match erased {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            erased => erased?,
        }
        sync_dir(&self.pseudonyms)
    }

    fn files(&self, extension: &str) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.pseudonyms) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let paths = entries.map(|entry| Ok(entry?.path()));
        let paths: Vec<PathBuf> = paths.collect::<io::Result<_>>()?;
        Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|of| of == extension)).collect())
    }

    fn file(&self, id: &str, extension: &str) -> PathBuf {
        self.pseudonyms.join(format!("{id}.{extension}"))
    }
}

impl KeyFile {
    /// A new key whose id begins with `kind`.
    fn new(kind: &str, period: Option<(Timestamp, Timestamp)>) -> io::Result<(Self, MaskKey)> {
        let mut secret = [0; MaskKey::LEN];
        aws_lc_rs::rand::fill(&mut secret).map_err(|_| io::Error::other("there is no randomness"))?;
        let digest = Sha256::new().chain_update(b"procura mask key\0").chain_update(secret).finalize();
        let tail: String = digest.iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let id = match period {
            Some((from, _)) => format!("{kind}{}-{tail}", from.strftime("%Y%m%d")),
            None => format!("{kind}{tail}"),
        };
        let file = Self { secret: Some(URL_SAFE_NO_PAD.encode(secret)), ..Self::named(&id, period) };
        Ok((file, MaskKey::new(id, secret)))
    }

    fn named(id: &str, period: Option<(Timestamp, Timestamp)>) -> Self {
        let text = |instant: Timestamp| instant.to_string();
        let (from, until) = (period.map(|(from, _)| text(from)), period.map(|(_, until)| text(until)));
        Self { v: 1, id: id.to_owned(), from, until, secret: None }
    }

    fn read(path: &Path) -> io::Result<Self> {
        let mut text = String::new();
        File::open(path)?.take(FILE_BYTES).read_to_string(&mut text)?;
        let read: Self = serde_json::from_str(&text).map_err(|_| broken(path))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if read.v == 1 && read.id.chars().all(is_plain) { Ok(read) } else { Err(broken(path)) }
    }

    /// Writes a new file, durably: it has its name only when it is complete.
    fn write(&self, path: &Path) -> io::Result<()> {
        durable::replace(path, &serde_json::to_vec(self)?)
    }

    fn key(&self) -> io::Result<MaskKey> {
        let bytes = self.secret.as_ref().and_then(|secret| URL_SAFE_NO_PAD.decode(secret).ok());
        let secret = bytes.and_then(|bytes| <[u8; MaskKey::LEN]>::try_from(bytes).ok());
        secret.map(|secret| MaskKey::new(&*self.id, secret)).ok_or_else(|| broken(Path::new(&self.id)))
    }

    fn period(&self) -> io::Result<(Timestamp, Timestamp)> {
        let instant = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        instant(&self.from).zip(instant(&self.until)).ok_or_else(|| broken(Path::new(&self.id)))
    }
}

fn broken(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{}` holds no key", path.display()))
}
