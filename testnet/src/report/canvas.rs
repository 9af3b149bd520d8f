//! A plot's frame: where data goes on the page, its grid and its labels. Draws with `plotters` into SVG.
//!
//! All plots over time share their left and right edge, so that they line up below each other.

use std::ops::Range;

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::{
        Cartesian2d, Circle, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _, PathElement,
        Polygon, Rectangle, SVGBackend, Text,
    },
    style::{
        Color as _, IntoFont as _, ShapeStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::palette::{FAINT, GRID, Tone};

/// Units of a drawing for a pixel of the page, since the library knows whole units only.
pub(crate) const UNITS: i32 = 2;
/// How wide every drawing is.
pub(crate) const WIDTH: i32 = 860 * UNITS;
/// Room for labels on the left.
pub(crate) const LEFT: i32 = 76 * UNITS;
/// Room on the right.
const RIGHT: i32 = 18 * UNITS;
/// Room above.
const TOP: i32 = 10 * UNITS;
/// Room for labels below.
const BOTTOM: i32 = 24 * UNITS;
/// The size of labels.
const LABEL: f64 = 11.5 * UNITS as f64;

/// About how wide a letter is.
const CHAR: i32 = 7 * UNITS;

/// Why a figure is missing.
pub(crate) type Error = DrawingAreaErrorKind<std::io::Error>;
/// Nothing, or why a figure is missing.
pub(crate) type Drawn = Result<(), Error>;

type Root<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Where to draw.
pub(crate) struct Canvas<'a> {
    root: Root<'a>,
    plane: Plane<'a>,
    height: i32,
}

/// Where the ticks of an axis are, and what they say.
pub(crate) type Ticks = Vec<(f64, String)>;

/// Draws a plot of so many pixels in height over these ranges.
pub(crate) fn draw(
    height: i32,
    x: Range<f64>,
    y: Range<f64>,
    paint: impl FnOnce(&Canvas<'_>) -> Drawn,
) -> Result<String, Error> {
    let height = height * UNITS;
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let place = (LEFT..WIDTH - RIGHT, height - BOTTOM..TOP);
        let spec = Cartesian2d::<RangedCoordf64, RangedCoordf64>::new(wide(x), wide(y), place);
        let plane = root.apply_coord_spec(spec);
        let canvas = Canvas { root, plane, height };
        paint(&canvas)?;
        canvas.root.present()?;
    }
    // In a page, a drawing needs no namespace, and so no address; its size is the page's business.
    let svg = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "");
    let fixed = format!("width=\"{}\" height=\"{}\" ", size.0, size.1);
    Ok(svg.replacen(&fixed, "", 1))
}

/// A range that is not empty.
fn wide(range: Range<f64>) -> Range<f64> {
    if range.end > range.start { range } else { range.start..range.start + 1.0 }
}

impl Canvas<'_> {
    /// A grid with labels below and on the left.
    pub(crate) fn grid(&self, x: &Range<f64>, y: &Range<f64>, across: Ticks, up: Ticks) -> Drawn {
        for (at, label) in across {
            self.line(&[(at, y.start), (at, y.end)], GRID, 1)?;
            let (px, _) = self.plane.map_coordinate(&(at, y.start));
            self.label((px, self.height - BOTTOM + 6 * UNITS), &label, HPos::Center, VPos::Top)?;
        }
        for (at, label) in up {
            self.line(&[(x.start, at), (x.end, at)], GRID, 1)?;
            let (_, py) = self.plane.map_coordinate(&(x.start, at));
            self.label((LEFT - 8 * UNITS, py), &label, HPos::Right, VPos::Center)?;
        }
        Ok(())
    }

    /// A label on the left, at a height in data.
    pub(crate) fn left_label(&self, y: f64, text: &str) -> Drawn {
        let (_, py) = self.plane.map_coordinate(&(0.0, y));
        self.label((LEFT - 8 * UNITS, py), text, HPos::Right, VPos::Center)
    }

    /// A label to the right of a point in data, or to its left where the drawing ends.
    pub(crate) fn label_at(&self, point: (f64, f64), text: &str) -> Drawn {
        let (px, py) = self.plane.map_coordinate(&point);
        let chars = i32::try_from(text.chars().count()).unwrap_or(i32::MAX);
        if px.saturating_add(chars.saturating_mul(CHAR)) > WIDTH - RIGHT {
            return self.label((px - 4 * UNITS, py), text, HPos::Right, VPos::Center);
        }
        self.label((px + 4 * UNITS, py), text, HPos::Left, VPos::Center)
    }

    /// Whether a text has room between two places in data.
    pub(crate) fn has_room(&self, from: f64, to: f64, text: &str) -> bool {
        let at = |x| self.plane.map_coordinate(&(x, 0.0)).0;
        let chars = i32::try_from(text.chars().count()).unwrap_or(i32::MAX);
        at(to).saturating_sub(at(from)) > chars.saturating_mul(CHAR)
    }

    /// A line of a width in half pixels.
    pub(crate) fn line(&self, points: &[(f64, f64)], tone: Tone, width: u32) -> Drawn {
        let style = ShapeStyle { color: tone.rgb().to_rgba(), filled: false, stroke_width: width };
        self.plane.draw(&PathElement::new(points.to_vec(), style))
    }

    /// The area between an upper and a lower line.
    pub(crate) fn area(
        &self,
        upper: &[(f64, f64)],
        lower: &[(f64, f64)],
        tone: Tone,
        opacity: f64,
    ) -> Drawn {
        let outline: Vec<_> = upper.iter().chain(lower.iter().rev()).copied().collect();
        self.plane.draw(&Polygon::new(outline, tone.rgb().mix(opacity)))
    }

    /// A rectangle.
    pub(crate) fn rect(&self, from: (f64, f64), to: (f64, f64), tone: Tone, opacity: f64) -> Drawn {
        self.plane.draw(&Rectangle::new([from, to], tone.rgb().mix(opacity).filled()))
    }

    /// A dot of a radius in half pixels.
    pub(crate) fn dot(&self, at: (f64, f64), tone: Tone, radius: i32) -> Drawn {
        self.plane.draw(&Circle::new(at, radius, tone.rgb().filled()))
    }

    fn label(&self, at: (i32, i32), text: &str, across: HPos, up: VPos) -> Drawn {
        let style = ("sans-serif", LABEL).into_font().color(&FAINT.rgb());
        let style = style.pos(Pos::new(across, up));
        self.root.draw(&Text::new(text.to_owned(), at, style))
    }
}

/// About so many round numbers in a range.
pub(crate) fn ticks(range: &Range<f64>, count: f64, label: impl Fn(f64) -> String) -> Ticks {
    let step = round_step((range.end - range.start) / count);
    let first = (range.start / step).ceil();
    let steps = (0..64).map(|step| first + f64::from(step));
    let at = steps.map(|n| n * step).take_while(|at| *at <= range.end + step * 1e-6);
    at.map(|at| (at, label(at))).collect()
}

/// 1, 2 or 5 times a power of ten, and at least as much as asked for.
fn round_step(rough: f64) -> f64 {
    let rough = rough.max(1e-9);
    let power = 10f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= rough * (1.0 - 1e-9));
    power * times.unwrap_or(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_their_range() {
        let at = |range: Range<f64>| -> Vec<f64> {
            ticks(&range, 5.0, |at| at.to_string()).into_iter().map(|(at, _)| at).collect()
        };
        assert_eq!(at(0.0..50.0), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(at(3.0..9.0), [4.0, 6.0, 8.0]);
        assert_eq!(at(0.0..0.0).len(), 1);
    }

    #[test]
    fn a_drawing_names_no_address_and_no_size() {
        let svg =
            draw(100, 0.0..1.0, 0.0..0.0, |canvas| canvas.rect((0.0, 0.0), (1.0, 1.0), GRID, 0.5));
        let svg = svg.unwrap();
        assert!(svg.starts_with("<svg viewBox"), "{svg}");
        assert!(!svg.contains("http"), "{svg}");
    }
}
