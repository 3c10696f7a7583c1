"""`ncf sample` and `ncf train`: files of training rows, without TFX."""

import pathlib
from typing import Annotated

import typer

from pipeline import options
from pipeline.messages import refuse
from pipeline.options import ConfigFile, DataDir, Dataset, DatasetArgument, Overrides


def sample(
    *,
    argument: DatasetArgument = None,
    output: Annotated[pathlib.Path, typer.Option(help="A new or empty folder.")],
    file_format: Annotated[
        str, typer.Option("--format", help="tfrecord (the official NCF's) or parquet.")
    ] = "tfrecord",
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of rows.", show_default="train.epochs")
    ] = None,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Train on validation items; write no such lists."),
    ] = False,
    train_prebatch_size: Annotated[
        int, typer.Option(help="Training rows per Example.")
    ] = 99000,
    eval_prebatch_size: Annotated[
        int, typer.Option(help="Evaluation rows per Example.")
    ] = 99000,
    dataset: Dataset = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    overrides: Overrides = None,
) -> None:
    """Write training rows and ranked lists to files, for use outside TFX."""
    named = options.named(argument, dataset)
    settings = options.settings(named, config, overrides)
    found = options.data(settings, data_dir)
    _quieten_tensorflow()
    from pipeline.offline import sample as sample_module

    form = sample_module.OutputForm(
        format=file_format,
        train_prebatch_size=train_prebatch_size,
        eval_prebatch_size=eval_prebatch_size,
    )
    try:
        metadata = sample_module.sample(
            settings, found, output, form=form, epochs=epochs, refit=refit
        )
    except ValueError as error:
        refuse(error)
    typer.echo(
        f"{output}: {metadata['num_train_epochs']} epochs of "
        f"{metadata['num_train_elements']} training rows, "
        f"{metadata['num_eval_elements']} evaluation rows"
    )


def train(
    train_dataset_path: Annotated[
        str, typer.Option(help="Pattern of training files; a folder is an epoch.")
    ],
    eval_dataset_path: Annotated[
        str, typer.Option(help="Pattern of files of ranked lists.")
    ],
    input_meta_data_path: Annotated[str, typer.Option(help="The files' metadata.")],
    output: Annotated[pathlib.Path, typer.Option(help="A new or empty folder.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Train and evaluate NeuMF on files of `ncf sample` or of the official NCF."""
    settings = options.settings(None, config, overrides)
    _quieten_tensorflow()
    from ncf_model.training.training_history import Epoch
    from pipeline.local import terminal
    from pipeline.offline import train as train_module

    def report(epoch: Epoch) -> None:
        figures = "loss {loss:.4f} HR@10 {hit_rate@10:.4f} NDCG@10 {ndcg@10:.4f}"
        console.print(f"epoch {epoch.epoch}: {figures.format_map(epoch.figures())}")

    source = train_module.Source(
        train_dataset_path=train_dataset_path,
        eval_dataset_path=eval_dataset_path,
        input_meta_data_path=input_meta_data_path,
    )
    try:
        # Messages of XLA go to the log.
        with terminal.output_to_file(output.with_name(f"{output.name}.log")) as console:
            train_module.train(settings, source, output, report=report)
    except ValueError as error:
        refuse(error)
    typer.echo(f"{output / train_module.MODEL_FILE}")


def _quieten_tensorflow() -> None:
    """Imports TensorFlow without its messages."""
    import warnings

    from pipeline import start_up

    warnings.simplefilter("ignore", FutureWarning)
    start_up.import_tensorflow()
