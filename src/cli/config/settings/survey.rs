//! What a survey takes: which outputs become one, how it is headed, and where its pictures are.

use std::path::{Path, PathBuf};

use super::{OutputFormat, OutputSettings};
use crate::cli::config::keys;
use crate::cli::config::layer::{Layer, Origin};
use crate::export::survey::lang::Lang;
use crate::export::survey::{self, SurveyOptions};
use crate::export::{html, table};
use crate::model::ProbeOptions;
use crate::model::problem::Problem;

/// How a survey is headed, and its language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyHead {
    /// What the site is called, where that is given.
    pub site: Option<String>,
    /// Its language.
    pub lang: Lang,
}

impl SurveyHead {
    /// As the exporter takes it.
    pub fn options(&self) -> SurveyOptions<'_> {
        SurveyOptions { site: self.site.as_deref(), lang: self.lang }
    }
}

/// The head that is set.
pub(super) fn head(layer: &Layer) -> Result<SurveyHead, Problem> {
    let site = layer.one(&keys::SITE)?.filter(|site| !site.is_empty());
    Ok(SurveyHead { site, lang: layer.one(&keys::LANG)? })
}

/// What `--survey` changes of a scan: files that are pages by their extension become the survey, or standard output does;
/// and pictures are taken.
///
/// # Errors
/// When the survey would go nowhere.
pub(super) fn apply(layer: &Layer, output: &mut OutputSettings, probe: &mut ProbeOptions) -> Result<(), Problem> {
    if !layer.one(&keys::SURVEY_WANTED)? {
        return Ok(());
    }
    let survey = OutputFormat::Builtin(&survey::FORMAT);
    let page = OutputFormat::Builtin(&html::FORMAT);
    let written = layer.list(&keys::OUTPUT)?;
    for ((path, format), written) in output.files.iter_mut().zip(written) {
        // `html:FILE` asks for the other page by its name.
        if *format == page && *path == written {
            *format = survey.clone();
        }
    }
    let file = output.files.iter().find(|(_, format)| *format == survey).map(|(path, _)| path.clone());
    let is_default = |format: &OutputFormat| *format == OutputFormat::Builtin(&table::FORMAT);
    match (&file, &output.stdout) {
        (Some(_), _) => {}
        (None, Some(format)) if *format == survey => {}
        (None, format) if layer.one(&keys::FORMAT)?.is_none() && format.as_ref().is_none_or(is_default) => {
            output.stdout = Some(survey);
        }
        (None, _) => {
            let origin = layer.origin(keys::SURVEY_WANTED.name);
            return Err(Problem::new("the survey goes nowhere, since standard output has another format")
                .at(origin.place(keys::SURVEY_WANTED.name))
                .hint("name a file for it: -o survey.html"));
        }
    }
    if layer.origin(keys::SNAPSHOTS.name) == Origin::Default {
        probe.snapshots = Some(pictures_beside(file.as_deref()));
    }
    Ok(())
}

/// The folder of the pictures: `survey-pictures` beside `survey.html`.
fn pictures_beside(file: Option<&Path>) -> PathBuf {
    let stem = file.and_then(Path::file_stem).filter(|stem| *stem != "-");
    let name = format!("{}-pictures", stem.map_or_else(|| "survey".into(), |stem| stem.to_string_lossy()));
    file.map_or_else(|| PathBuf::from(&name), |file| file.with_file_name(&name))
}
