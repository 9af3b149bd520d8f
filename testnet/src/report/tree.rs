//! The way of one message: who had it first from whom, on an axis of time.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    canvas::{self, Canvas, Drawn, ticks},
    palette::{BASELINE, GOOD, HONEST, HOSTILE, Tone},
    plots::Plot,
    words,
};
use crate::record::history::{Hop, Tree};

/// Nodes beyond which a drawing is a smear.
const NODES_MAX: usize = 1200;
/// No message takes so many hops; what does is no tree.
const DEPTH_MAX: usize = 64;
/// With more nodes than this there is no room for their numbers.
const NUMBERED_MAX: usize = 64;

/// Draws a tree; `None` if there is nothing to see, or too much.
pub(crate) fn plot(tree: &Tree, honest: u32) -> Option<Plot> {
    if tree.hops.is_empty() || tree.hops.len() > NODES_MAX {
        return None;
    }
    let layout = Layout::new(tree, honest);
    let rows = layout.rows.max(1);
    let last = layout.places.values().map(|place| place.done.max(place.came)).fold(1.0, f64::max);
    let x = 0.0..last * 1.06;
    let y = -0.5..f64::from(rows) - 0.5;
    let height = (i32::try_from(rows).unwrap_or(i32::MAX)).saturating_mul(12).clamp(120, 720) + 36;
    let svg = canvas::draw(height, x.clone(), y.clone(), |canvas| {
        canvas.grid(&x, &y, ticks(&x, 8.0, words::millis), Vec::new())?;
        canvas.left_label(layout.author_row(tree), &format!("node {}", tree.author))?;
        layout.paint(canvas, honest, rows)
    });
    let mut legend =
        vec![(HONEST, "passed on by an honest node".to_owned()), (GOOD, "accepted".to_owned())];
    if layout.has_hostile {
        legend.push((HOSTILE, "passed on by an adversary (its own time is not known)".to_owned()));
    }
    Some(Plot { svg, legend })
}

/// Where each node is drawn.
struct Layout {
    places: BTreeMap<u32, Place>,
    rows: u32,
    has_hostile: bool,
}

/// A node in the drawing.
#[derive(Clone, Copy)]
struct Place {
    /// Milliseconds after publishing when it passed the message on.
    came: f64,
    /// When it accepted.
    done: f64,
    accepted: bool,
    row: f64,
    from: Option<u32>,
}

impl Layout {
    fn new(tree: &Tree, honest: u32) -> Self {
        let root = Place { came: 0.0, done: 0.0, accepted: false, row: 0.0, from: None };
        let mut places = BTreeMap::from([(tree.author, root)]);
        for hop in tree.hops.iter().filter(|hop| hop.node != tree.author) {
            places.insert(hop.node, place(hop));
        }
        let parents: BTreeSet<u32> = places.values().filter_map(|place| place.from).collect();
        let missing: Vec<u32> =
            parents.into_iter().filter(|node| !places.contains_key(node)).collect();
        let has_hostile = missing.iter().any(|node| *node >= honest);
        // Adversaries have no tap: they had it at some time before those who have it from them.
        for node in missing {
            let theirs = places.values().filter(|place| place.from == Some(node));
            let came = theirs.map(|place| place.came).fold(f64::INFINITY, f64::min) / 2.0;
            let from = Some(tree.author);
            places.insert(node, Place { came, done: came, accepted: false, row: 0.0, from });
        }
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (node, place) in &places {
            if *node != tree.author {
                children.entry(place.from.unwrap_or(tree.author)).or_default().push(*node);
            }
        }
        let came = |node: &u32| places.get(node).map_or(0.0, |place| place.came);
        children.values_mut().for_each(|nodes| {
            nodes.sort_by(|one, other| came(one).total_cmp(&came(other)));
        });
        let mut layout = Self { places, rows: 0, has_hostile };
        layout.settle(tree.author, &children, 0);
        // Rows were counted from the top.
        let rows = f64::from(layout.rows);
        layout.places.values_mut().for_each(|place| place.row = rows - 1.0 - place.row);
        layout
    }

    /// Gives a node a row, and those that have it from there the rows below.
    fn settle(&mut self, node: u32, children: &BTreeMap<u32, Vec<u32>>, depth: usize) {
        if let Some(place) = self.places.get_mut(&node) {
            place.row = f64::from(self.rows);
            self.rows += 1;
        }
        let behind = children.get(&node).filter(|_| depth < DEPTH_MAX);
        for child in behind.into_iter().flatten() {
            self.settle(*child, children, depth + 1);
        }
    }

    fn author_row(&self, tree: &Tree) -> f64 {
        self.places.get(&tree.author).map_or(0.0, |place| place.row)
    }

    fn paint(&self, canvas: &Canvas<'_>, honest: u32, rows: u32) -> Drawn {
        let tone = |node: u32| if node >= honest { HOSTILE } else { HONEST };
        for (node, place) in &self.places {
            let Some((from, parent)) =
                place.from.and_then(|from| Some((from, self.places.get(&from)?)))
            else {
                continue;
            };
            let stem: Tone = if *node >= honest { BASELINE } else { tone(from) };
            let bend = (parent.came, place.row);
            canvas.line(&[(parent.came, parent.row), bend, (place.came, place.row)], stem, 2)?;
            if place.accepted {
                canvas.line(&[(place.came, place.row), (place.done, place.row)], GOOD, 1)?;
            }
        }
        let crowded = rows as usize > NUMBERED_MAX;
        for (node, place) in &self.places {
            if place.accepted {
                canvas.dot((place.done, place.row), GOOD, if crowded { 3 } else { 5 })?;
            }
            canvas.dot((place.came, place.row), tone(*node), if crowded { 4 } else { 7 })?;
            if !crowded && place.from.is_some() {
                canvas.label_at((place.done.max(place.came), place.row), &node.to_string())?;
            }
        }
        Ok(())
    }
}

fn place(hop: &Hop) -> Place {
    let came = hop.relayed_ms.or(hop.accepted_ms).unwrap_or(0.0);
    Place {
        came,
        done: hop.accepted_ms.unwrap_or(came).max(came),
        accepted: hop.accepted_ms.is_some(),
        row: 0.0,
        from: hop.from,
    }
}
