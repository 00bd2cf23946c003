"""How a review's page looks on screens, narrow ones too, and on paper."""

from render.theme import LIGHT

STYLE = f"""
:root {{ color-scheme: light }} * {{ box-sizing: border-box }}
body {{ font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: {LIGHT.text}; background: #fff;
  margin: 0 }} main {{ max-width: 64rem; margin: 0 auto; padding: 1.6rem 1.2rem 3rem }}
h1 {{ font-size: 1.6rem; margin: 0 }} h2 {{ font-size: 1.05rem; margin: 1.8rem 0 .5rem; text-wrap: balance }}
p {{ margin: .2rem 0 }} .note, small {{ color: {LIGHT.muted} }} small {{ font-size: .85em }}
a {{ color: inherit }} ul {{ margin: .2rem 0; padding-left: 1.2rem }} li {{ margin: .25rem 0; overflow-wrap: anywhere }}
.short {{ border-left: 4px solid {LIGHT.series[0]}; padding: .2rem 0 .2rem 1rem; margin-top: 1rem }}
.short h2 {{ margin-top: 0 }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; margin-top: 1.4rem }}
.tiles div {{ border: 1px solid {LIGHT.grid}; border-radius: 6px; padding: .6rem .8rem; display: flex; flex-direction: column }}
.tiles span:first-child {{ color: {LIGHT.muted}; font-size: .85em }} .tiles b {{ font-size: 1.1rem; font-weight: 600 }}
table {{ border-collapse: collapse; width: 100% }} td {{ overflow-wrap: anywhere }}
th, td {{ text-align: left; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid {LIGHT.grid}; vertical-align: top }}
th {{ font-weight: 600; color: {LIGHT.muted}; font-size: .85em }}
td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal }}
td:last-child {{ padding-right: 0 }}
td.n {{ white-space: nowrap }} .bad {{ color: {LIGHT.anomaly}; font-weight: 600 }} .good {{ color: #05674a }}
svg {{ width: 100%; height: auto; display: block }} footer {{ margin-top: 2rem; border-top: 1px solid {LIGHT.grid} }}
@media screen and (max-width: 44rem) {{ thead {{ display: none }} table, tbody, tr, td {{ display: block }}
  tr {{ border-bottom: 1px solid {LIGHT.grid}; padding: .5rem 0 }} td, td.n {{ border: 0; padding: .1rem 0; text-align: left }}
  td:not(:first-child)::before {{ content: attr(data-head) ": "; color: {LIGHT.muted}; font-size: .85em }} }}
@page {{ size: A4; margin: 14mm 13mm 16mm }}
@media print {{ body {{ font-size: 10.5px }} main {{ max-width: none; padding: 0 }} h2 {{ margin-top: 1.1rem }}
  h1, h2 {{ break-after: avoid }} tr, .tiles, .short, svg {{ break-inside: avoid }} thead {{ display: table-header-group }}
  .tiles {{ grid-template-columns: repeat(6, 1fr); gap: .4rem }} .tiles b {{ font-size: 1rem }} a {{ text-decoration: none }}
  .bad, .good, .note, small, th {{ color: #000 }} }}
"""
