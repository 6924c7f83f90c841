// SPDX-License-Identifier: Apache-2.0

/// The files of a new package: a page, and a handler that counts visits in the app's own database.
package struct Template {
  package struct File: Equatable {
    package var path: String
    package var text: String
  }

  package let label: String
  package let language: NewCommand.Language

  package init(label: String, language: NewCommand.Language) {
    self.label = label
    self.language = language
  }

  package func files() throws -> [File] {
    let common = [
      File(path: "bulkhead.toml", text: manifest),
      File(path: "www/index.html", text: page),
      File(path: "README.md", text: readme),
    ]
    return switch language {
    case .python: common + [File(path: "main.py", text: Self.python)]
    case .node: common + [File(path: "server.mjs", text: Self.node)]
    case .swift: common + (try swift())
    }
  }

  static func nextSteps(_ directory: String, _ language: NewCommand.Language) -> [String] {
    (language == .swift ? ["make -C \(directory)"] : [])
      + ["bulkhead check \(directory)", "bulkhead install \(directory)"]
  }

  private var command: (runtime: String, words: String) {
    switch language {
    case .python: ("python", "\"python3\", \"main.py\"")
    case .node: ("node", "\"node\", \"server.mjs\"")
    case .swift: ("native", "\"/app/app\"")
    }
  }

  private var manifest: String {
    """
    # docs/MANIFEST.md lists every key; bulkhead check shows what is wrong.
    manifest = 1

    [app]
    id = "org.example.\(label)"
    name = "\(label)"
    version = "0.1.0"
    build = 1

    [run]
    runtime = "\(command.runtime)"
    command = [\(command.words)]

    [limits]
    memory = "128MiB"

    [http]
    assets = "www"

    [[sqlite]]
    name = "main"

    """
  }

  private var page: String {
    """
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>\(label)</title>
    <style>
      :root { color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif; }
      body { max-width: 34rem; margin: 4rem auto; padding: 0 1rem; }
    </style>
    <h1>\(label)</h1>
    <p>Visits so far: <output id="visits">…</output></p>
    <script type="module">
      const reply = await fetch('/visits', { method: 'POST' });
      document.querySelector('#visits').textContent = (await reply.json()).visits;
    </script>

    """
  }

  private var readme: String {
    """
    # \(label)

    \(Self.nextSteps(".", language).map { "    \($0)" }.joined(separator: "\n"))

    The page is in `www/` and is served without waking the app; every other path is answered by the program.

    """
  }

  private static let python = """
    import json

    from bulkhead import serve, sql

    database = sql.open("main")


    def app(environ, start_response):
        if environ["PATH_INFO"] != "/visits":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"There is nothing here.\\n"]
        database.execute("CREATE TABLE IF NOT EXISTS visit (at TEXT NOT NULL)")
        if environ["REQUEST_METHOD"] == "POST":
            database.execute("INSERT INTO visit VALUES (datetime('now'))")
        visits = database.query("SELECT count(*) FROM visit")[0][0]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"visits": visits}).encode()]


    serve(app)

    """

  private static let node = """
    import { serve, sql } from '@bulkhead/guest';

    const database = sql.open('main');

    serve({
      async fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname !== '/visits') return new Response('There is nothing here.\\n', { status: 404 });
        await database.execute('CREATE TABLE IF NOT EXISTS visit (at TEXT NOT NULL)');
        if (request.method === 'POST') {
          await database.execute("INSERT INTO visit VALUES (datetime('now'))");
        }
        return Response.json(await database.get('SELECT count(*) AS visits FROM visit'));
      },
    });

    """
}
