//! `report.html`: one file that works offline, in the light, in the dark and on paper.
//!
//! Made from a [`Run`] alone, so that it can be made again. No script and no address in it.

mod sections;
mod tables;

use super::{
    canvas::Error,
    palette,
    plots::{Legend, Plot},
};
use crate::output::{Run, escape};

/// The style sheet, but for the colours.
const STYLE: &str = include_str!("style.css");

/// Renders the whole page.
pub(crate) fn render(run: &Run) -> String {
    let mut page = Page::default();
    sections::head(&mut page, run);
    sections::proof(&mut page, run);
    sections::timeline(&mut page, run);
    sections::delivery(&mut page, run);
    sections::cost(&mut page, run);
    sections::attack(&mut page, run);
    sections::peers(&mut page, run);
    sections::tree(&mut page, run);
    sections::memory(&mut page, run);
    sections::repeat(&mut page, run);
    let title = format!("{}, seed {}: {}", run.name, run.seed, run.verdict.name());
    let palette = palette::css();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{palette}{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        escape(&title),
        page.html
    )
}

/// A page in the making.
#[derive(Debug, Default)]
struct Page {
    html: String,
    figures: u32,
}

impl Page {
    /// Adds what is HTML already.
    fn raw(&mut self, html: &str) {
        self.html.push_str(html);
        self.html.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.raw(&format!("<h2>{}</h2>", escape(text)));
    }

    fn paragraph(&mut self, text: &str) {
        self.raw(&format!("<p>{}</p>", escape(text)));
    }

    /// A numbered figure: what it shows, the drawing, what the colours stand for, and how to read it.
    fn figure(&mut self, title: &str, plot: Plot, caption: &str) {
        self.figures += 1;
        let number = self.figures;
        let title = escape(title);
        let drawing = drawing(plot.svg, &title);
        let legend = legend(&plot.legend);
        self.raw(&format!(
            "<figure>\n<h3>{title}</h3>\n{legend}{drawing}\n\
             <figcaption><b>Figure {number}.</b> {}</figcaption>\n</figure>",
            escape(caption)
        ));
    }

    /// A table; cells are HTML already, and those of a column with `n` are numbers.
    fn table(&mut self, columns: &[(&str, &str)], rows: &[Vec<String>]) {
        let head: String = columns
            .iter()
            .map(|(name, class)| format!("<th class=\"{class}\">{}</th>", escape(name)))
            .collect();
        let row = |cells: &Vec<String>| {
            let cells = cells.iter().zip(columns);
            let cells: String = cells
                .map(|(cell, (_, class))| format!("<td class=\"{class}\">{cell}</td>"))
                .collect();
            format!("<tr>{cells}</tr>\n")
        };
        let body: String = rows.iter().map(row).collect();
        self.raw(&format!(
            "<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
        ));
    }
}

fn drawing(svg: Result<String, Error>, title: &str) -> String {
    match svg {
        Ok(svg) => {
            let named = format!("<svg role=\"img\" aria-label=\"{title}\" ");
            svg.replacen("<svg ", &named, 1).trim_end().to_owned()
        }
        Err(error) => {
            format!("<p>This figure could not be drawn: {}</p>", escape(&error.to_string()))
        }
    }
}

fn legend(legend: &Legend) -> String {
    if legend.is_empty() {
        return String::new();
    }
    let entry = |(tone, name): &(palette::Tone, String)| {
        format!("<li><i style=\"background:var(--{})\"></i>{}</li>", tone.name, escape(name))
    };
    format!("<ul class=\"legend\">{}</ul>\n", legend.iter().map(entry).collect::<String>())
}

#[cfg(test)]
pub(crate) mod tests;
