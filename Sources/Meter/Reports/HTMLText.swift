// SPDX-License-Identifier: Apache-2.0

/// Pieces of a page. Everything that is not markup of ours passes through `escaped`.
enum HTMLText {
  static func escaped(_ text: String) -> String {
    var out = ""
    for character in text {
      switch character {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default: out.append(character)
      }
    }
    return out
  }

  /// A table in a box of its own that scrolls sideways on a narrow screen. The first column heads
  /// its rows.
  static func table(caption: String, header: [String], rows: [[String]], footer: [String]? = nil)
    -> String
  {
    let head = header.enumerated().map { index, cell in
      "<th scope=\"col\"\(index > 0 ? " class=\"n\"" : "")>\(escaped(cell))</th>"
    }.joined()
    func line(_ cells: [String]) -> String {
      "<tr>"
        + cells.enumerated().map { index, cell in
          index == 0
            ? "<th scope=\"row\">\(escaped(cell))</th>" : "<td class=\"n\">\(escaped(cell))</td>"
        }.joined() + "</tr>\n"
    }
    let foot = footer.map { "<tfoot>\(line($0))</tfoot>" } ?? ""
    return """
      <div class="scroll" tabindex="0" role="region" aria-label="\(escaped(caption))"><table>
      <caption>\(escaped(caption))</caption><thead><tr>\(head)</tr></thead><tbody>
      \(rows.map(line).joined())</tbody>\(foot)</table></div>

      """
  }

  /// The whole style sheet: dark and light, from 360 pixels up, and for paper.
  static let style = """
    :root { color-scheme: light dark; --page: #fbfbfa; --ink: #1d1f21; --dim: #5c6166;
      --line: #dcdedb; --card: #fff; --c0: #2f6db3; --c1: #d98032; --c2: #3f9267; --c3: #8a5fb0;
      --c4: #c4475b; --c5: #a8881f; --c6: #8b9096; }
    @media (prefers-color-scheme: dark) { :root { --page: #16181a; --ink: #e7e9ea; --dim: #a2a8ad;
      --line: #34383b; --card: #1e2123; --c0: #6ba4e4; --c1: #eda15c; --c2: #6cc095; --c3: #b894dc;
      --c4: #ec8291; --c5: #d6b954; --c6: #8b9096; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--page); color: var(--ink);
      font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
    main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
    h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
    h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
    p { margin: .4rem 0; } .dim { color: var(--dim); }
    dl.key { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem;
      margin: 1.25rem 0 0; }
    dl.key div { background: var(--card); border: 1px solid var(--line); border-radius: 6px;
      padding: .55rem .75rem; }
    dl.key dt { color: var(--dim); font-size: .85rem; }
    dl.key dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
    .scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px;
      background: var(--card); }
    .scroll:focus-visible { outline: 2px solid var(--c0); outline-offset: 1px; }
    table { border-collapse: collapse; width: 100%; font-size: .92rem; }
    caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    th, td { padding: .4rem .7rem; text-align: left; white-space: nowrap;
      border-top: 1px solid var(--line); font-weight: 400; }
    thead th { border-top: 0; color: var(--dim); font-size: .82rem; }
    tfoot th, tfoot td { border-top: 2px solid var(--line); font-weight: 600; }
    .n { text-align: right; font-variant-numeric: tabular-nums; }
    figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 6px;
      padding: .75rem .75rem .5rem; }
    figcaption { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .85rem;
      color: var(--dim); margin-bottom: .4rem; }
    figcaption span::before { content: ""; display: inline-block; width: .7em; height: .7em;
      margin-right: .35em; border-radius: 2px; background: var(--c); }
    .plot { position: relative; margin-left: 5rem; border-bottom: 1px solid var(--dim);
      height: 9rem; }
    .plot svg { display: block; width: 100%; height: 100%; }
    .plot line { stroke: var(--line); vector-effect: non-scaling-stroke; }
    .plot rect { stroke: var(--card); stroke-width: 1; vector-effect: non-scaling-stroke; }
    .plot span { position: absolute; right: calc(100% + .4rem); width: 4.6rem; text-align: right;
      font-size: .75rem; line-height: 1; color: var(--dim); }
    .plot .top { top: -.1em; } .plot .mid { top: calc(50% - .5em); }
    .axis { display: flex; justify-content: space-between; margin-left: 5rem; font-size: .75rem;
      color: var(--dim); padding-top: .2rem; }
    details { margin-top: .4rem; } summary { cursor: pointer; color: var(--dim); font-size: .88rem; }
    ul { padding-left: 1.1rem; } li { margin: .2rem 0; }
    @media print { body { background: #fff; color: #000; font-size: 11px; }
      main { max-width: none; padding: 0; } h2 { break-after: avoid; }
      .plot { height: 6rem; } figure, dl.key div, tr { break-inside: avoid; } .scroll { overflow: visible; }
      rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      figcaption span::before { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      details { display: none; } }
    """
}
