use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use procura_testkit::temp_dir::TempDir;

use super::*;
use crate::audit::{DirFiles, LogSettings};
use crate::ports::{Clock, LogFile, LogFiles, NewRecord};

/// The reload thread waits like this for the record of a policy change.
#[test]
fn thread_that_waits_for_a_receipt_gets_it_while_the_server_goes_down() {
    let (directory, hangs) = (TempDir::new("down"), Arc::new(AtomicBool::new(false)));
    let files = DirFiles::open(&directory.path().join("log")).unwrap();
    let files = Arc::new(HangingFiles { files, hangs: Arc::clone(&hangs) });
    let settings = LogSettings { deadline: Duration::from_secs(60), ..LogSettings::default() };
    let metrics = Arc::new(Metrics::new().unwrap());
    let (log, _) = Log::open(files, &settings, Arc::new(SystemClock), metrics).unwrap();
    let runtime = Runtime::new().unwrap();

    hangs.store(true, Ordering::Release);
    let receipt = log.append(NewRecord { at: SystemClock.now(), payload: b"{}".to_vec() });
    let handle = runtime.handle().clone();
    let waiting = thread::spawn(move || handle.block_on(receipt));
    let closing = Arc::clone(&log);
    let disk = thread::spawn(move || {
        while closing.health().is_ok() {
            thread::yield_now();
        }
        hangs.store(false, Ordering::Release);
    });
    take_down(runtime, Some(&log));
    disk.join().unwrap();
    assert!(matches!(waiting.join(), Ok(Ok(()))), "the thread must not panic");
}

/// Files whose syncs wait while `hangs`.
struct HangingFiles {
    files: DirFiles,
    hangs: Arc<AtomicBool>,
}

impl LogFiles for HangingFiles {
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.files.len(name)
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.files.read_at(name, offset, len)
    }

    fn open_append(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(HangingFile { file: self.files.open_append(name)?, hangs: Arc::clone(&self.hangs) }))
    }

    fn reopen(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.files.reopen(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.files.free_bytes()
    }

    fn check(&self) -> io::Result<()> {
        self.files.check()
    }
}

struct HangingFile {
    file: Box<dyn LogFile>,
    hangs: Arc<AtomicBool>,
}

impl LogFile for HangingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        while self.hangs.load(Ordering::Acquire) {
            thread::yield_now();
        }
        self.file.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }

    fn check(&self, len: u64) -> io::Result<()> {
        self.file.check(len)
    }
}
