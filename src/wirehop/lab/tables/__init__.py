"""The comparison tables: features, scenarios, claims, advantages; generated, each cell with how it is known."""

from wirehop.lab.tables.document import Tables, make_tables
from wirehop.lab.tables.export import FORMATS, as_json, schema
from wirehop.lab.tables.html import render_html
from wirehop.lab.tables.service import install_tables

__all__ = ["FORMATS", "Tables", "as_json", "install_tables", "make_tables", "render_html", "schema"]
