//! Colours, by what they stand for. Light ones are written into the plots; in the dark a style sheet
//! replaces them by attribute, so that a plot that is copied out of the page is complete in itself.

use plotters::style::RGBColor;

/// A colour in light and in dark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tone {
    /// The name of its CSS variable.
    pub(crate) name: &'static str,
    light: u32,
    dark: u32,
}

const fn tone(name: &'static str, light: u32, dark: u32) -> Tone {
    Tone { name, light, dark }
}

/// Text and axes.
pub(crate) const INK: Tone = tone("ink", 0x1B_1F24, 0xE6_E8EB);
/// Text that stands back.
pub(crate) const FAINT: Tone = tone("faint", 0x5C_6670, 0x9A_A4AE);
/// Lines of a grid.
pub(crate) const GRID: Tone = tone("grid", 0xE3_E6EA, 0x2E_353D);
/// The page.
pub(crate) const PAPER: Tone = tone("paper", 0xFF_FFFF, 0x14_181C);
/// Honest nodes, and what is well.
pub(crate) const HONEST: Tone = tone("honest", 0x00_72B2, 0x4D_A6E0);
/// Honest nodes once more, lighter.
pub(crate) const HONEST_SOFT: Tone = tone("honest-soft", 0x8C_C4E6, 0x2B_6A94);
/// Adversaries, and attacks.
pub(crate) const HOSTILE: Tone = tone("hostile", 0xD5_5E00, 0xFF_8A4C);
/// Adversaries once more, lighter.
pub(crate) const HOSTILE_SOFT: Tone = tone("hostile-soft", 0xF2_B48A, 0x9A_5326);
/// Faults that are nobody's doing.
pub(crate) const FAULT: Tone = tone("fault", 0x8A_5FA8, 0xC3_9BE0);
/// Phases of a run.
pub(crate) const PHASE: Tone = tone("phase", 0xB9_C0C8, 0x4A_545E);
/// A run without the attack.
pub(crate) const BASELINE: Tone = tone("baseline", 0x7A_838C, 0x8E_98A3);
/// What is well.
pub(crate) const GOOD: Tone = tone("good", 0x00_8A5E, 0x3C_C895);
/// A third kind of thing.
pub(crate) const THIRD: Tone = tone("third", 0x00_9E83, 0x35_C5AB);
/// A fourth.
pub(crate) const FOURTH: Tone = tone("fourth", 0xE0_9B00, 0xF2_BC4A);
/// A fifth.
pub(crate) const FIFTH: Tone = tone("fifth", 0xC2_6A9B, 0xE5_9AC6);

const ALL: [Tone; 15] = [
    INK,
    FAINT,
    GRID,
    PAPER,
    HONEST,
    HONEST_SOFT,
    HOSTILE,
    HOSTILE_SOFT,
    FAULT,
    PHASE,
    BASELINE,
    GOOD,
    THIRD,
    FOURTH,
    FIFTH,
];

impl Tone {
    /// For the plotting library.
    pub(crate) const fn rgb(self) -> RGBColor {
        let [_, red, green, blue] = self.light.to_be_bytes();
        RGBColor(red, green, blue)
    }
}

/// The style sheet's part on colours.
pub(crate) fn css() -> String {
    let variables = |pick: fn(&Tone) -> u32| -> String {
        ALL.iter().map(|tone| format!("--{}:#{:06X};", tone.name, pick(tone))).collect()
    };
    let (light, dark) = (variables(|tone| tone.light), variables(|tone| tone.dark));
    let mut css = format!(
        ":root{{color-scheme:light dark;{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    );
    for Tone { name, light, .. } in ALL {
        css.push_str(&format!(
            "svg [fill=\"#{light:06X}\"]{{fill:var(--{name})}}\
             svg [stroke=\"#{light:06X}\"]{{stroke:var(--{name})}}\n"
        ));
    }
    css
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_tones_share_a_light_colour() {
        let distinct: BTreeSet<u32> = ALL.iter().map(|tone| tone.light).collect();
        assert_eq!(distinct.len(), ALL.len(), "a dark colour could not be told by the light one");
    }
}
