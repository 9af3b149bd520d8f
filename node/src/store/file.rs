//! Database files in a data folder: how they are made and opened, and that what is damaged is found before it is believed.
//!
//! redb trusts a file that was closed cleanly, and may panic, or give wrong data, if somebody else has changed it since. So a file is
//! checked whole when it is opened, unless it is too large for that; and it is never taken for a new one because it is empty.

use std::{
    fs::{self, DirBuilder, File},
    io,
    path::{Path, PathBuf},
};

use redb::{Builder, Database, backends::FileBackend};

use super::StoreError;

/// Files up to this size are read whole at the start, at some 150 MB a second or more. Of a larger one damage is found where it is read.
const CHECKED_BYTES_MAX: u64 = 1 << 30;

/// Makes a data folder, for its owner alone, if it is not there.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a database file, or makes it if there is none.
pub(crate) fn open_database(path: &Path, cache_bytes: usize) -> Result<Database, StoreError> {
    let unusable = |source| StoreError::Io { path: path.to_owned(), source };
    if !path.try_exists().map_err(unusable)? {
        make(path, cache_bytes)?;
    }
    let file = open_file(path).map_err(unusable)?;
    let bytes = file.metadata().map_err(unusable)?.len();
    if bytes == 0 {
        // The database would begin anew, and nobody would hear of what is lost.
        let (path, detail) = (path.to_owned(), "it is empty".to_owned());
        return Err(StoreError::Corrupt { path, detail });
    }
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes).set_check_integrity_on_open(bytes <= CHECKED_BYTES_MAX);
    open(&builder, file, path)
}

/// Makes a new file beside its place, and moves it there once it is whole: so a file that is there was whole once.
fn make(path: &Path, cache_bytes: usize) -> Result<(), StoreError> {
    let aside = aside(path);
    let unusable = |source| StoreError::Io { path: aside.clone(), source };
    let file = open_file(&aside).map_err(unusable)?;
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes).set_check_integrity_on_open(true);
    // What an earlier start has left half made is made again; one under way in another process has locked it.
    match open(&builder, file, &aside) {
        Ok(made) => drop(made),
        Err(StoreError::Corrupt { .. }) => {
            fs::remove_file(&aside).map_err(unusable)?;
            drop(open(&builder, open_file(&aside).map_err(unusable)?, &aside)?);
        }
        Err(error) => return Err(error),
    }
    fs::rename(&aside, path).map_err(unusable)?;
    // The name has to be on disk as well.
    let folder = path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all());
    folder.map_err(unusable)
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn open(builder: &Builder, file: File, path: &Path) -> Result<Database, StoreError> {
    let opened = FileBackend::new(file).and_then(|file| builder.create_with_backend(file));
    opened.map_err(|error| StoreError::open(path, error))
}

/// Nobody else may read whom we banned, even if the folder was there before with other rights.
fn open_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
