//! `init`: makes a data folder.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use forsooth::{
    Keypair,
    config::{Layer, Passphrase, listen_on},
    key_file,
    manifest::Manifest,
    net::identity::peer_id,
    network::Kind,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Place, args::InitArgs, output};

pub(super) fn init(place: &Place, args: InitArgs) -> anyhow::Result<()> {
    let data = &place.data;
    let mut flags = Layer::from(args.settings);
    let from = flags.network.take();
    refuse_overwriting([data.key(), data.network(), data.config()])?;
    let manifest = from
        .as_deref()
        .map(|path| Ok::<_, anyhow::Error>((Manifest::load(path)?, fs::read(path)?)));
    let manifest = manifest.transpose()?;
    let is_local =
        manifest.as_ref().is_some_and(|(manifest, _)| manifest.network().kind() == Kind::Local);
    if is_local && flags.listen.is_none() {
        // A network of one machine is nobody else's business.
        flags.listen = Some(listen_on(std::net::Ipv4Addr::LOCALHOST));
    }
    // Where the folder's own settings are concerned, the file that is about to be made is still empty.
    let passphrase = place.settings(flags.clone())?.passphrase.value.read()?;
    let keypair = fresh_key()?;

    data.create()?;
    let mut made = Made::default();
    if let Some((_, text)) = &manifest {
        made.write(data.network(), text)?;
    }
    made.write(data.config(), absolute(flags)?.to_toml().as_bytes())?;
    key_file::create(
        &data.key(),
        &keypair,
        passphrase.as_ref().map(|passphrase| passphrase.as_str()),
    )?;
    made.keep();

    let id = keypair.id();
    if args.output.json {
        let encrypted = passphrase.is_some();
        return output::json(&json!({
            "data": data.path(), "id": id, "peer_id": peer_id(&id).to_string(), "encrypted": encrypted,
        }));
    }
    output::line(output::pairs([
        ("data", data.path().display().to_string()),
        ("node", id.to_string()),
        ("peer id", peer_id(&id).to_string()),
    ]))?;
    let is_admitted = |(manifest, _): &(Manifest, _)| manifest.network().identity().admits(&id);
    if !manifest.as_ref().is_none_or(is_admitted) {
        output::note(format_args!(
            "The network admits keys by a list, and this one is new: have {} added to `admitted` in the manifest, \
             and put the manifest that has it at {}.",
            peer_id(&id),
            data.network().display()
        ));
    }
    if from.is_none() {
        output::note(format_args!(
            "Still missing: the network's manifest. Put it at {}.",
            data.network().display()
        ));
    }
    Ok(())
}

fn fresh_key() -> anyhow::Result<Keypair> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).context("the system gives no randomness for a key")?;
    Ok(Keypair::from_seed(*seed))
}

fn refuse_overwriting(files: [PathBuf; 3]) -> anyhow::Result<()> {
    match files.iter().find(|file| file.symlink_metadata().is_ok()) {
        Some(file) => bail!(
            "{} is there already, and nothing is overwritten; \
             use it with `forsooth run`, or choose another data folder with --data",
            file.display()
        ),
        None => Ok(()),
    }
}

/// Paths on the command line are relative to the current folder, those in the file to the data folder.
fn absolute(mut flags: Layer) -> anyhow::Result<Layer> {
    if let Some(Passphrase::File(path)) = &flags.passphrase {
        flags.passphrase = Some(Passphrase::File(std::path::absolute(path)?));
    }
    flags.asn_map = flags.asn_map.map(std::path::absolute).transpose()?;
    Ok(flags)
}

/// Files that are removed again unless all of them came to be.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    fn write(&mut self, path: PathBuf, content: &[u8]) -> anyhow::Result<()> {
        let mut file = new_file(&path)?;
        self.0.push(path.clone());
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = fs::remove_file(path) {
                output::note(format_args!("cannot remove {}: {error}", path.display()));
            }
        }
    }
}

/// A file that was not there before.
pub(super) fn new_file(path: &Path) -> anyhow::Result<File> {
    File::create_new(path).with_context(|| format!("cannot make {}", path.display()))
}
