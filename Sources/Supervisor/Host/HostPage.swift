// SPDX-License-Identifier: Apache-2.0

/// The page at the host's own name: links to the apps, nothing that is not public.
enum HostPage {
  static func html(names: [String]) -> String {
    let items = names.map { "<li><a data-app=\"\($0)\" href=\"//\($0).localhost\">\($0)</a></li>" }
    let list =
      names.isEmpty
      ? "<p>No app is installed yet. <code>bulkhead install DIR</code> installs one.</p>"
      : "<ul>\(items.joined())</ul>"
    return """
      <!doctype html><html lang="en"><meta charset="utf-8">
      <meta name="viewport" content="width=device-width,initial-scale=1">
      <title>Bulkhead</title>
      <style>\(style)</style>
      <main><h1>Bulkhead</h1>\(list)</main>
      <script>for(const a of document.querySelectorAll("a[data-app]"))\
      a.href="//"+a.dataset.app+".localhost"+(location.port?":"+location.port:"")+"/"</script></html>
      """
  }

  private static let style = """
    :root{color-scheme:light dark;font:1.05rem/1.6 system-ui,sans-serif}
    body{margin:0;display:grid;place-items:center;min-height:100vh}
    main{width:min(32rem,90vw)}h1{font-size:1.4rem;letter-spacing:.02em}
    ul{list-style:none;padding:0;display:grid;gap:.5rem}
    a{display:block;padding:.8rem 1rem;border:1px solid color-mix(in srgb,currentColor 25%,transparent);
    border-radius:.6rem;color:inherit;text-decoration:none}
    a:hover,a:focus-visible{border-color:currentColor}
    """
}
