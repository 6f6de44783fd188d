#include "report/page/page.h"

namespace memlayers::report {

// Series colors: the baseline orange, its first rival blue, which every common color blindness tells apart, and all of
// them at 3:1 or more against the card they are drawn on, in light and in dark.
const char* const kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1b1f24; --muted: #57606a; --grid: #e2e5e9; --rule: #c9ced4;
  --accent: #0b62a8; --track: #e6e9ed;
  --series-0: #cf5a00; --series-1: #0a6ebd; --series-2: #00835f; --series-3: #a8458c;
  --series-4: #6b55c7; --series-5: #007e91; --series-6: #8a6100; --series-7: #4d5963; --series-8: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #111418; --card: #1a1f25; --ink: #e8eaed; --muted: #a3acb6; --grid: #2c333b; --rule: #454e58;
    --accent: #7cbcf2; --track: #2c333b;
    --series-0: #ff9d4d; --series-1: #62b5f5; --series-2: #3fcf9f; --series-3: #e58cc6;
    --series-4: #b3a4f7; --series-5: #4fc9d9; --series-6: #dcb24a; --series-7: #b4bec8; --series-8: #ff8f85;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); overflow-wrap: break-word;
       font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
main, footer { max-width: 66rem; margin: 0 auto; padding: 1.5rem 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .25rem; }
h3 { font-size: 1.05rem; margin: 0 0 .25rem; }
dl + h3 { margin-top: 1.25rem; }
p { margin: .5rem 0; max-width: 46rem; }
.lead { color: var(--muted); }
.answer { background: var(--card); border-left: .4rem solid var(--accent); border-radius: .5rem; padding: 1rem 1.25rem;
          margin: 1.25rem 0; }
.answer .headline { font-size: 1.45rem; line-height: 1.3; font-weight: 650; max-width: none; margin: 0 0 .5rem; }
.answer ul { margin: 0; padding-left: 1.2rem; }
.cards, .figures { display: grid; gap: 1rem; margin: 1rem 0; }
.cards { grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.figures { grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); align-items: start; }
.card, figure { background: var(--card); border-radius: .5rem; padding: 1rem 1.1rem; margin: 0; min-width: 0; }
.card h3 { color: var(--muted); font-size: .95rem; font-weight: 600; }
.card .lead-text { font-weight: 650; font-size: 1.1rem; margin: .25rem 0; }
.card .budget, .card .small { color: var(--muted); font-size: .9rem; margin: .35rem 0 0; }
.row { margin: .55rem 0 0; }
.row .line-of-text { display: flex; justify-content: space-between; gap: .75rem; }
.row .name { min-width: 0; overflow-wrap: anywhere; }
.row .number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.track { background: var(--track); border-radius: .2rem; height: .55rem; overflow: hidden; }
.track span { display: block; height: 100%; border-radius: .2rem; }
figure p { font-size: .95rem; color: var(--muted); }
figcaption { margin: 0 0 .5rem; }
svg.chart { display: block; width: 100%; max-width: 36rem; height: auto; margin: 0 auto; font-size: 13px;
            font-family: inherit; }
svg text { fill: var(--ink); }
svg .muted, svg .tick { fill: var(--muted); }
svg .value { font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .axis { stroke: var(--rule); stroke-width: 1; }
svg .whisker { stroke: var(--ink); stroke-width: 1.4; }
svg .halo { stroke: var(--card); stroke-width: 4; }
svg .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
svg .dash-1 { stroke-dasharray: 9 5; }
svg .dash-2 { stroke-dasharray: 2 5; }
svg .dash-3 { stroke-dasharray: 11 4 2 4; }
svg .band { fill-opacity: .2; stroke: none; }
svg .part { stroke: var(--card); stroke-width: 1; }
svg .marker { stroke: var(--card); stroke-width: 1; }
details { margin: .75rem 0 0; }
summary { cursor: pointer; color: var(--accent); font-size: .95rem; }
.scroll { position: relative; overflow: auto; max-height: 26rem; margin: .5rem 0; }
.scroll.whole { max-height: none; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: left; color: var(--muted); padding: .25rem 0; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--grid); text-align: right; vertical-align: top; }
th:first-child, td:first-child, table.words td { text-align: left; }
table.words th { text-align: left; }
td { white-space: nowrap; }
.scroll.wrap td, .scroll.wrap tbody th { white-space: normal; min-width: 5rem; }
table.words td, table.words tbody th { white-space: normal; min-width: 7rem; overflow-wrap: anywhere; }
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 500; white-space: nowrap; }
.wide { background: var(--card); border-radius: .5rem; padding: .75rem 1.1rem; }
dl { margin: .5rem 0; display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .35rem 1.25rem; }
dt { font-weight: 600; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.right::before { content: "\2713\00a0"; color: var(--series-2); font-weight: 700; }
.wrong::before { content: "\2717\00a0"; color: var(--series-0); font-weight: 700; }
a { color: var(--accent); }
footer { color: var(--muted); font-size: .9rem; padding-top: 0; }
@media (min-width: 56rem) {
  figure.whole-row { grid-column: 1 / -1; display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1.2fr);
                     column-gap: 2rem; }
  figure.whole-row details { grid-column: 1 / -1; }
}
@media (max-width: 32rem) {
  main, footer { padding: 1rem .75rem; }
  .card, figure, .wide, .answer { padding: .8rem .75rem; }
  .answer .headline { font-size: 1.2rem; }
  svg.chart { font-size: 14.5px; }
  table.words thead { position: absolute; clip-path: inset(50%); }
  table.words tr, table.words td, table.words tbody th { display: block; border: 0; padding: .1rem 0; }
  table.words tr { border-bottom: 1px solid var(--grid); padding: .5rem 0; }
  table.words tbody th { font-weight: 650; }
  table.words td::before { content: attr(data-label) ": "; color: var(--muted); }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
}
@media print {
  body { background: #ffffff; }
  .card, figure, .wide, .answer { border: 1px solid var(--grid); break-inside: avoid; }
}
)css";

}  // namespace memlayers::report
