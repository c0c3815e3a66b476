//! `duckbot init`: asks for what an installation can't know, checks the answers, and writes a file for
//! Helm or Kustomize.
//!
//! `answers`, `render` and `merge` are pure. Needs no secret, and writes none. Writes at the end
//! only, so an interrupted run leaves nothing.

mod answers;
mod merge;
mod probe;
mod render;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use tokio::runtime::Runtime;

use crate::diagnostics::{Diagnostic, DiagnosticStatus};
use answers::{Answers, NONE, Question};
use probe::Probe;
use render::Output;

/// Options of `duckbot init`.
#[derive(Args)]
pub struct Options {
    /// Helm values file to write.
    #[arg(long, value_name = "FILE", default_value = "duckbot-values.yaml")]
    values: PathBuf,
    /// Kustomize overlay to write instead: a folder of your own in deploy/overlays.
    #[arg(long, value_name = "FOLDER", conflicts_with = "values")]
    overlay: Option<PathBuf>,
    /// Ask nothing: use the flags, the earlier answers and the defaults.
    #[arg(short, long)]
    yes: bool,
    /// Don't check the answers live.
    #[arg(long)]
    offline: bool,
    /// Replace lines that were edited by hand if the answers change the same lines.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    flags: Flags,
}

/// Answers on the command line, not read yet.
struct Flags(Vec<(Question, String)>);

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Question::ALL.into_iter().filter_map(|question| {
            let text: &String = matches.get_one(question.flag())?;
            Some((question, text.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        Question::ALL
            .into_iter()
            .fold(command, |command, question| {
                let flag = Arg::new(question.flag()).long(question.flag());
                let flag = flag.value_name(question.value_name());
                command.arg(flag.help(question.text()))
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Flags that can't be used, or are missing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// Asks, checks and writes. Prints the next commands.
///
/// # Errors
/// [`UsageError`] for the flags. Otherwise if the file can't be read or written, or lines that were
/// edited by hand stand in the way.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let output = match &options.overlay {
        Some(folder) => Output::Overlay(folder),
        None => Output::Values(&options.values),
    };
    let file = find_file(&output)?;
    let before = match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("can't read {}", file.display())),
    };
    let earlier = match &before {
        Some(text) => Answers::in_header(text).with_context(|| {
            format!(
                "{} exists, and `duckbot init` did not write it; name another one",
                file.display()
            )
        })?,
        None => Answers::default(),
    };
    let interview = Interview {
        flags: read_flags(&options.flags)?,
        earlier,
        is_interactive: !options.yes && io::stdin().is_terminal(),
        probe: if options.offline {
            None
        } else {
            Some(start_probe()?)
        },
    };
    if interview.is_interactive {
        eprintln!(
            "This writes {}. Enter takes the answer in [brackets]. {NONE} means none.\n",
            file.display()
        );
    }
    let answers = interview.collect()?;
    let mut text = output.render(&answers);
    if let Some(before) = &before {
        let base = output.render(&interview.earlier);
        let merged = merge::merge(&base, before, &text);
        if !merged.conflicts.is_empty() && !options.overwrite {
            let says = merged.conflicts.join("\n");
            let file = file.display();
            eprintln!("{file} was edited by hand in lines that these answers change:\n{says}");
            if !interview.is_interactive || !confirm("Replace these lines?")? {
                bail!(
                    "nothing was written; edit {file} yourself, or replace them with --overwrite"
                );
            }
        }
        text = merged.text;
    }
    if before.as_ref() == Some(&text) {
        println!("{} has these answers already.\n", file.display());
    } else {
        write(&file, &text).with_context(|| format!("can't write {}", file.display()))?;
        println!("Wrote {}.\n", file.display());
    }
    print!("{}", output.next_commands(&answers));
    Ok(())
}

/// Finds the file of an output.
fn find_file(output: &Output) -> anyhow::Result<PathBuf> {
    match output {
        Output::Values(path) => Ok(path.to_path_buf()),
        Output::Overlay(folder) => {
            let absolute = std::path::absolute(folder)?;
            let deploy = absolute.parent().and_then(Path::parent);
            let base = deploy.map(|deploy| deploy.join("base/kustomization.yaml"));
            if !base.is_some_and(|base| base.is_file()) {
                let text = "--overlay must be a folder in deploy/overlays of duckbot's source code, \
                            like deploy/overlays/mine";
                return Err(UsageError(text.to_owned()).into());
            }
            Ok(folder.join("kustomization.yaml"))
        }
    }
}

fn read_flags(flags: &Flags) -> Result<Answers, UsageError> {
    let read = flags.0.iter().map(|(question, text)| {
        let answer = question.parse(if text == NONE { "" } else { text });
        let answer = answer.map_err(|problem| format!("--{}: {problem}", question.flag()))?;
        Ok((*question, answer))
    });
    read.collect::<Result<_, _>>().map_err(UsageError)
}

fn start_probe() -> anyhow::Result<(Probe, Runtime)> {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok((
        Probe::new().context("can't start the HTTPS client")?,
        runtime,
    ))
}

/// Source of all answers.
struct Interview {
    flags: Answers,
    earlier: Answers,
    is_interactive: bool,
    /// `None`: answers are not checked live.
    probe: Option<(Probe, Runtime)>,
}

impl Interview {
    /// Collects all answers, from the flags, the keyboard, the last run and the defaults.
    fn collect(&self) -> anyhow::Result<Answers> {
        let mut answers = Answers::default();
        let mut missing = Vec::new();
        for question in Question::ALL {
            let given = self.flags.find(question).cloned();
            if !question.applies(&answers) {
                if given.is_some() {
                    let text = format!("--{} needs --ingress=gateway", question.flag());
                    return Err(UsageError(text).into());
                }
                continue;
            }
            let default = || self.default(question, &answers);
            match given.or_else(|| default().filter(|_| !self.is_interactive)) {
                Some(answer) => {
                    answers.set(question, answer);
                    self.check(question, &answers);
                }
                None if self.is_interactive => self.ask(question, default(), &mut answers)?,
                None => missing.push(format!("\n  --{}: {}", question.flag(), question.text())),
            }
        }
        if !missing.is_empty() {
            let text = format!(
                "these flags are missing (without a terminal or with --yes, nothing is asked):{}",
                missing.concat()
            );
            return Err(UsageError(text).into());
        }
        Ok(answers)
    }

    /// Asks until there is a valid answer that works, or that the person keeps.
    fn ask(
        &self,
        question: Question,
        default: Option<String>,
        answers: &mut Answers,
    ) -> anyhow::Result<()> {
        let prompt = match default.as_deref() {
            Some("") => format!("{} [none]: ", question.text()),
            Some(default) => format!("{} [{default}]: ", question.text()),
            None => format!("{}: ", question.text()),
        };
        loop {
            let line = read_line(&prompt)?;
            let text = match line.as_str() {
                "" => default.as_deref().unwrap_or_default(),
                NONE => "",
                text => text,
            };
            match question.parse(text) {
                Ok(answer) => answers.set(question, answer),
                Err(problem) => {
                    eprintln!("{problem}");
                    continue;
                }
            }
            let works = self.check(question, answers);
            if works || confirm("Keep this answer?")? {
                return Ok(());
            }
        }
    }

    /// Answer of the last run, or else one that the other answers suggest.
    fn default(&self, question: Question, answers: &Answers) -> Option<String> {
        let earlier = self.earlier.find(question).cloned();
        match (&self.probe, question) {
            (Some((_, runtime)), Question::PrivateLake)
                if !answers.have_same_lake(&self.earlier) =>
            {
                let found = runtime.block_on(probe::private_lake(answers));
                let all = format!("{},{found}", earlier.unwrap_or_default());
                question.parse(&all).ok()
            }
            (_, Question::IngressNamespace) if !answers.have_same_ingress(&self.earlier) => {
                question.default(answers)
            }
            _ => earlier.or_else(|| question.default(answers)),
        }
    }

    /// Checks an answer, and prints the result. Returns true if nothing is wrong with it.
    fn check(&self, question: Question, answers: &Answers) -> bool {
        let checked = self.probe.as_ref().and_then(|(probe, runtime)| {
            let checked: Option<Diagnostic> = runtime.block_on(probe.check(question, answers));
            checked
        });
        let Some(checked) = checked else {
            return true;
        };
        eprintln!("{checked}");
        checked.status == DiagnosticStatus::Ok
    }
}

/// Asks a question. Yes is `y`, everything else is no.
fn confirm(question: &str) -> anyhow::Result<bool> {
    Ok(read_line(&format!("{question} [y/N] "))?.eq_ignore_ascii_case("y"))
}

fn read_line(prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    let mut line = String::new();
    if io::stdin().read_line(&mut line)? == 0 {
        eprintln!();
        bail!("the input ended, so nothing was written");
    }
    Ok(line.trim().to_owned())
}

/// Writes a file as a whole or not at all.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty());
    folder.map_or(Ok(()), fs::create_dir_all)?;
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = fs::File::create(&new).and_then(|mut it| {
        it.write_all(text.as_bytes())?;
        fs::rename(&new, file)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
