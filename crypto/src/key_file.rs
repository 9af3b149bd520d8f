//! A keypair on disk: a PKCS#8 file in PEM form, which `openssl pkey` reads too.
//!
//! What it promises: [`create`] never overwrites anything and never leaves half a key or, for one
//! moment, a key that others can read. [`load`] refuses a key that others can read, says which
//! command mends it, and never takes a damaged key for a good one: the file names its id in a line of
//! its own, and the secret must fit.
//!
//! With a passphrase the key is encrypted by PBES2 (scrypt, AES-256-CBC). CBC does not authenticate,
//! so a wrong passphrase is told by what comes out: it must be a PKCS#8 key that fits the id.
//! A wrong passphrase and a damaged ciphertext look the same.
//!
//! Folders are treated as `ssh` treats them: a missing one is made for the owner alone (0700), an
//! existing one is left as it is and not judged, only the file's own mode counts. Links are followed.
//!
//! What it does not know: where keys are kept, and who types the passphrase. Erased after use are
//! all buffers of this module; the cipher library does not erase the derived AES key.

mod error;
mod pem;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

pub use self::error::{CreateError, LoadError};
use crate::Keypair;

/// Largest file that is read, in bytes. An encrypted key has about 400.
const BYTES_MAX: usize = 16 * 1024;

/// Writes a new key file, readable and writable by its owner only, encrypted if there is a passphrase.
///
/// The file appears under its name complete and synced to disk, or not at all.
///
/// # Errors
///
/// Fails when anything exists at `path`, which is then left as it was, when the passphrase is empty,
/// and when the folder or the file cannot be written.
pub fn create(path: &Path, keypair: &Keypair, passphrase: Option<&str>) -> Result<(), CreateError> {
    // Asked again, for good, by `persist_noclobber`; here it only saves the work of encrypting.
    if path.symlink_metadata().is_ok() {
        return Err(CreateError::AlreadyExists { path: path.into() });
    }
    let pem = pem::encode(keypair, passphrase)?;
    let folder = folder_of(path);
    make_folder(folder).map_err(|source| CreateError::Folder { path: folder.into(), source })?;
    write_new(folder, path, pem.as_bytes()).map_err(|source| {
        let path = path.into();
        if source.kind() == io::ErrorKind::AlreadyExists {
            CreateError::AlreadyExists { path }
        } else {
            CreateError::Write { path, source }
        }
    })
}

/// Reads a key file.
///
/// # Errors
///
/// Each way to fail has its variant and says what to do about it. No file's content panics or takes
/// more than 128 MiB and some seconds.
pub fn load(path: &Path, passphrase: Option<&str>) -> Result<Keypair, LoadError> {
    let bytes = read(path)?;
    let text = str::from_utf8(&bytes).map_err(|_| LoadError::Corrupt { path: path.into() })?;
    pem::decode(text, passphrase, path)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, LoadError> {
    let failed = |source: io::Error| {
        let path = path.into();
        if source.kind() == io::ErrorKind::NotFound {
            LoadError::Missing { path }
        } else {
            LoadError::Read { path, source }
        }
    };
    // Before opening: to open a named pipe would wait for its other end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(LoadError::NotAFile { path: path.into() });
    }
    let file = File::open(path).map_err(failed)?;
    refuse_exposed(path, &file.metadata().map_err(failed)?)?;

    // All at once, so that growing leaves no copy of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    let length = file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if length > BYTES_MAX {
        return Err(LoadError::TooLarge { path: path.into(), bytes_max: BYTES_MAX });
    }
    Ok(bytes)
}

/// Whoever can open a file with such a mode is its owner (or root), so the owner need not be asked.
#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), LoadError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(LoadError::Exposed { path: path.into(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &fs::Metadata) -> Result<(), LoadError> {
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn write_new(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Made with O_EXCL and mode 0600, and removed if we fail before it has its name.
    let mut file = tempfile::Builder::new().prefix(".key-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}
