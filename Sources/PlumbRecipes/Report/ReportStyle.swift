/// The looks of the report: one style sheet, light and dark, no fonts from elsewhere.
enum ReportStyle {
  /// What a chart needs; a chart that is saved as a file of its own carries it along.
  ///
  /// Colours: Okabe and Ito's palette, told apart by colour-blind readers, lighter in the dark.
  static let chart = """
    svg.chart{--c0:#8a8f98;--c1:#0a6db5;--c2:#d1570a;--c3:#00875f;--c4:#b0568f;--c5:#c98a00;\
    --c6:#3f9fd8;--c7:#6a4fb3;--c8:#5b6470;--ink:#1c2024;--soft:#5d6570;--grid:#e7e9ed;\
    --line:#9aa1ab;--paper:#fff;width:100%;height:auto;display:block;\
    font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
    @media (prefers-color-scheme:dark){svg.chart{--c0:#7d848f;--c1:#5aa9e6;--c2:#f08a4b;\
    --c3:#3fbf95;--c4:#dc8fbf;--c5:#e5b84b;--c6:#8fcdf5;--c7:#a893e8;--c8:#a7afba;--ink:#e8eaed;\
    --soft:#a2a9b4;--grid:#2b3037;--line:#6b727d;--paper:#16191d}}
    .chart .c0{--c:var(--c0)}.chart .c1{--c:var(--c1)}.chart .c2{--c:var(--c2)}\
    .chart .c3{--c:var(--c3)}.chart .c4{--c:var(--c4)}.chart .c5{--c:var(--c5)}\
    .chart .c6{--c:var(--c6)}.chart .c7{--c:var(--c7)}.chart .c8{--c:var(--c8)}
    .chart text{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
    .chart .title{fill:var(--ink);font-size:15px;font-weight:600}
    .chart .axis-label{fill:var(--ink)}.chart .strong{fill:var(--ink)}\
    .chart .note{font-style:italic}.chart .value{font-size:11px}\
    .chart .cell{fill:var(--ink);font-size:13px;font-weight:600}
    .chart .grid{stroke:var(--grid)}.chart .axis{stroke:var(--line)}
    .chart .line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
    .chart .thin{stroke-width:1.3}.chart .raw{stroke-width:1;opacity:.3}
    .chart .dashed{stroke-dasharray:5 4;stroke-width:1.5}
    .chart .fill{fill:var(--c)}.chart .band{fill:var(--c);opacity:.16}\
    .chart .area{fill:var(--c);opacity:.28}.chart .cloud{fill:var(--c);opacity:.55}
    .chart .dot{fill:var(--c);stroke:var(--paper);stroke-width:1}
    .chart .whisker{stroke:var(--ink);stroke-width:1.2}.chart .empty{fill:var(--grid);opacity:.6}
    """

  /// What the page needs beside `chart`.
  static let page = """
    :root{color-scheme:light dark;--ink:#1c2024;--soft:#5d6570;--rule:#dfe2e7;--paper:#fff;\
    --panel:#f6f7f9;--good:#00795a;--bad:#b3401a;--link:#0a6db5}
    @media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a2a9b4;--rule:#31363d;\
    --paper:#16191d;--panel:#1e2227;--good:#4cc79e;--bad:#f08a5d;--link:#7bbcf0}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,\
    "Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
    main{max-width:1120px;margin:0 auto;padding:48px 28px 80px}
    h1{font-size:34px;line-height:1.15;letter-spacing:-.02em;margin:0 0 8px}
    h2{font-size:22px;letter-spacing:-.01em;margin:56px 0 12px;padding-top:14px;\
    border-top:1px solid var(--rule)}
    h3{font-size:17px;margin:28px 0 8px}
    p{max-width:72ch;margin:8px 0 14px}
    .lead{font-size:18px;color:var(--soft);max-width:64ch}
    .facts{display:flex;flex-wrap:wrap;gap:6px 28px;margin:20px 0 0;padding:0;list-style:none;\
    font-size:14px;color:var(--soft)}
    .facts b{color:var(--ink);font-weight:600}
    nav{margin:22px 0 0;font-size:14px;display:flex;flex-wrap:wrap;gap:4px 18px}
    a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
    .scroll{overflow-x:auto;margin:14px 0 22px}
    table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;min-width:40%}
    caption{text-align:left;font-weight:600;font-size:15px;padding:0 0 8px}
    th{text-align:left;font-weight:600;color:var(--soft);border-bottom:1.5px solid var(--ink);\
    padding:5px 22px 5px 0;white-space:nowrap;vertical-align:bottom}
    td{border-bottom:1px solid var(--rule);padding:6px 22px 6px 0;vertical-align:top}
    th.n,td.n{text-align:right;white-space:nowrap}
    .held,.failed{font-weight:600;white-space:nowrap}
    .held{color:var(--good)}.failed{color:var(--bad)}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));\
    gap:28px 40px;margin:18px 0 26px;align-items:start}
    figure{margin:0;max-width:640px}figcaption{font-size:13.5px;color:var(--soft);margin-top:6px}
    .sample{margin:18px 0 26px;border:1px solid var(--rule);border-radius:8px;overflow:hidden}
    .prompt{background:var(--panel);padding:12px 16px;white-space:pre-wrap;overflow-wrap:anywhere}
    .answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,230px),1fr));\
    gap:1px;background:var(--rule);border-top:1px solid var(--rule)}
    .answer{background:var(--paper);padding:12px 16px}
    .answer header,.prompt header{font-size:12.5px;font-weight:600;color:var(--soft);\
    margin-bottom:4px;white-space:normal}
    .answer header span{font-weight:400;float:right}
    .answer div{white-space:pre-wrap;overflow-wrap:anywhere;font-size:14.5px}
    details{margin:12px 0;border:1px solid var(--rule);border-radius:8px;padding:10px 16px}
    summary{cursor:pointer;font-weight:600}
    pre{overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;\
    margin:12px 0 4px}
    @media print{main{max-width:none;padding:0}details{display:none}h2{break-after:avoid}\
    figure,.sample,tr{break-inside:avoid}}
    """
}
