//! The log as a source of records in order, for services that know no files.

use std::time::Duration;

use super::{Cursor, LogReader};
use crate::ports::{LogError, RecordCursor, RecordSource};

impl RecordSource for LogReader {
    fn last(&self) -> u64 {
        self.reach().last
    }

    fn wait_beyond(&self, seen: u64, timeout: Duration) -> u64 {
        let reach = self.reach();
        if reach.last > seen { reach.last } else { LogReader::wait_beyond(self, reach, timeout).last }
    }

    fn cursor(&self, next_seq: u64) -> Box<dyn RecordCursor + '_> {
        Box::new(LogReader::cursor(self, next_seq))
    }
}

impl RecordCursor for Cursor<'_> {
    fn next_seq(&self) -> u64 {
        Cursor::next_seq(self)
    }

    fn read(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result<usize, LogError> {
        let read = Cursor::read(self, |entry| each(entry.seq, entry.payload));
        read.map_err(|error| LogError::Unreadable(error.with_causes()))
    }
}
