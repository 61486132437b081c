"""What commands that fetch files are told: where the services are, and whom else they may ask."""

from __future__ import annotations

import click

from .frame import setting_options

file_settings = setting_options(
    ("--media-url", "URL", "Media service, where it is not Mana's own."),
    ("--api-url", "URL", "Mana's API, which has documents and songs, where it is not Mana's own."),
    ("--web-url", "URL", "The web app, whose page names the other two."),
)
target_file_settings = setting_options(
    ("--to-media-url", "URL", "Media service of the target account, with --files."),
    ("--to-api-url", "URL", "Mana's API that has its documents and songs."),
    ("--to-web-url", "URL", "The web app, whose page names the other two."),
)
foreign_option = click.option(
    "--foreign-files",
    is_flag=True,
    help="Also fetch pictures from other people's servers, which learn of it.",
)
