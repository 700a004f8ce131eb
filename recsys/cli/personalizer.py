"""`tailor personalizer`: train the language model, serve it, export its adapters."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys import environment
from recsys.cli.evaluate import output_options
from recsys.cli.output import as_json, errors, hand_out, make_room, out, table
from recsys.cli.pipeline import raw_files, raw_options
from recsys.cli.progress import Display
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("personalizer", help="the language model that adapts itself")
    group = group.add_subparsers(required=True)
    for name, stage, what in (
        ("pretrain", "lm", "train the tiny language model on the catalogue; the stage lm alone"),
        ("train", "hypernet", "train the hypernetwork; the stage hypernet alone"),
    ):
        command = group.add_parser(name, help=what)
        command.add_argument("--json", action="store_true", help="print the figures as JSON")
        command.set_defaults(run=_stage, stage=stage)
    measuring = group.add_parser(
        "evaluate", help="train on some shoppers and measure on others, on raw files"
    )
    raw_options(measuring, required=True)
    measuring.add_argument(
        "--steps", type=int, metavar="N", help="training steps of the hypernetwork"
    )
    output_options(measuring)
    measuring.set_defaults(run=_evaluate)
    serving = group.add_parser("serve", help="scores, adapters and text over HTTP")
    serving.add_argument("--host", help="address to listen at (default: the setting)")
    serving.add_argument("--port", type=int, help="port to listen at (default: the setting)")
    serving.set_defaults(run=_serve)
    export = group.add_parser("export", help="a shopper's adapter as a folder of PEFT")
    export.add_argument("user", metavar="USER", help="the shopper's id")
    export.set_defaults(run=_export)
    fleet = group.add_parser("fleet", help="all shoppers' adapters, for vLLM or LoRAX")
    fleet.add_argument("--most", type=int, metavar="N", help="the first N by id only")
    fleet.set_defaults(run=_fleet)
    for command in (export, fleet):
        command.add_argument(
            "--out", type=Path, required=True, metavar="DIR", help="folder to write into"
        )
        command.add_argument("--json", action="store_true", help="print JSON")


def _stage(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.run import run

    environment.check()
    with Display() as display:
        result = run(settings, start=args.stage, until=args.stage, observer=display)
    made = result.artifacts[args.stage]
    if args.json:
        as_json({"version": made.version, "path": str(made.path), **made.manifest.metrics})
        return 0
    for name, value in made.manifest.metrics.items():
        out().print(f"{name}: {value}")
    out().print(f"{args.stage}: {out().escape(str(made.path))}", soft_wrap=True)
    return 0


def _evaluate(args: argparse.Namespace, settings: Settings) -> int:
    environment.check()
    make_room(args.json)

    from recsys.evaluation.personal.run import STEPS, evaluate_personalizer

    with Display() as display:
        result = evaluate_personalizer(
            raw_files(args),
            settings,
            steps=args.steps or STEPS,
            keep=args.keep,
            observer=display,
        )
    hand_out(result, args.json, _show)
    return 0


def _show(result: Mapping[str, Any]) -> None:
    """The figures for a person."""
    rows = {
        **result["methods"],
        **{f"p2p, {name} embedding": each for name, each in result["controls"].items()},
        "the embedding alone": result["embedding_alone"],
    }
    table(
        f"{result['n_users']:,} held-out shoppers, four options, nothing of them in P2P's prompt",
        ("method", "accuracy", "95 % interval", "ms a question"),
        [
            (
                name,
                f"{each['accuracy']:.3f}",
                "{:.3f} to {:.3f}".format(*each["ci"]),
                f"{each['ms_per_question']:.1f}" if "ms_per_question" in each else "",
            )
            for name, each in rows.items()
        ],
    )
    apart = result["splits"]["ood"]["p2p"]["accuracy"]
    out().print(f"p2p on shoppers of clusters that nobody taught of: {apart:.3f}")
    out().print(
        f"trained in {result['train_seconds']:.0f} s; "
        f"{result['adapters_per_second']:,.0f} adapters a second, "
        f"{result['oppu_seconds_per_user']:.2f} s for one trained alone"
    )


def _serve(args: argparse.Namespace, settings: Settings) -> int:
    from dataclasses import replace

    from personalizer.server.run import serve
    from recsys.personal import Personal

    config = settings.personalizer.server
    config = replace(config, host=args.host or config.host, port=args.port or config.port)
    engine = Personal.open(settings).engine()
    errors().print(f"serving {engine.name} at http://{config.host}:{config.port}")
    serve(engine, config)
    return 0


def _export(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.personal import Personal

    (name,) = Personal.open(settings).export([args.user], args.out)
    if args.json:
        as_json({"name": name, "folder": str((args.out / name).resolve())})
    else:
        out().print(out().escape(str(args.out / name)), soft_wrap=True)
    return 0


def _fleet(args: argparse.Namespace, settings: Settings) -> int:
    from personalizer.export import MODULES
    from recsys.personal import Personal

    personal = Personal.open(settings)
    names = personal.export(personal.everybody()[: args.most], args.out)
    modules = args.out / MODULES
    if args.json:
        as_json({"base": personal.base, "adapters": names, "modules": str(modules.resolve())})
        return 0
    rank = personal.store.hypernet.config.rank
    out().print(f"{len(names):,} adapters in {out().escape(str(args.out))}", soft_wrap=True)
    out().print(
        f"vllm serve {out().escape(personal.base)} --enable-lora --max-lora-rank {max(8, rank)} "
        f"--lora-modules $(cat {out().escape(str(modules))})",
        soft_wrap=True,
    )
    return 0
