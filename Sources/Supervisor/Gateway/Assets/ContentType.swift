// SPDX-License-Identifier: Apache-2.0

/// What a file's name says of its content.
package enum ContentType {
  package static func of(_ path: String) -> String {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: ".") else { return "application/octet-stream" }
    return table[name[name.index(after: dot)...].lowercased()] ?? "application/octet-stream"
  }

  private static let table: [String: String] = [
    "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8", "cjs": "text/javascript; charset=utf-8",
    "json": "application/json", "map": "application/json", "geojson": "application/geo+json",
    "jsonld": "application/ld+json", "webmanifest": "application/manifest+json",
    "wasm": "application/wasm", "xml": "application/xml", "xsl": "application/xml",
    "xhtml": "application/xhtml+xml", "rss": "application/rss+xml", "atom": "application/atom+xml",
    "txt": "text/plain; charset=utf-8", "text": "text/plain; charset=utf-8",
    "log": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8", "ics": "text/calendar; charset=utf-8",
    "vcf": "text/vcard; charset=utf-8", "yaml": "application/yaml", "yml": "application/yaml",
    "svg": "image/svg+xml", "svgz": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg",
    "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "avif": "image/avif",
    "ico": "image/x-icon", "bmp": "image/bmp", "tif": "image/tiff", "tiff": "image/tiff",
    "apng": "image/apng", "jxl": "image/jxl", "heic": "image/heic",
    "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
    "eot": "application/vnd.ms-fontobject",
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "aac": "audio/aac", "ogg": "audio/ogg",
    "oga": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav", "flac": "audio/flac",
    "weba": "audio/webm", "mid": "audio/midi",
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg",
    "mov": "video/quicktime", "mpeg": "video/mpeg", "ts": "video/mp2t",
    "m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml",
    "pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip",
    "br": "application/octet-stream", "tar": "application/x-tar",
    "7z": "application/x-7z-compressed",
    "epub": "application/epub+zip", "rtf": "application/rtf",
    "doc": "application/msword", "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "gltf": "model/gltf+json", "glb": "model/gltf-binary",
  ]
}

/// How long a browser may keep a file without asking.
package enum CachePolicy {
  /// Pages are always asked about, so that a new version is seen at once. A name that carries a hash of its content
  /// never changes. Anything else is asked about after five minutes.
  package static func of(_ path: String, contentType: String) -> String {
    if contentType.hasPrefix("text/html") || contentType.hasPrefix("application/manifest") {
      return "no-cache"
    }
    let name = path.split(separator: "/").last ?? ""
    // A service worker decides what a browser shows; an old one must not linger.
    if name == "sw.js" || name == "service-worker.js" { return "no-cache" }
    return carriesHash(name)
      ? "public, max-age=31536000, immutable" : "public, max-age=300, must-revalidate"
  }

  /// Whether one of the parts between the stem and the extension is a hash as bundlers write it: `app.3f9c2a1b.js`,
  /// `index-BxK3f9Qa.css`. At least eight letters and digits, with a digit among them.
  package static func carriesHash(_ name: Substring) -> Bool {
    var parts = name.split(whereSeparator: { $0 == "." || $0 == "-" })
    guard parts.count >= 3 else { return false }
    parts.removeLast()
    // `app.3f9c2a1b.min.js` and `app.3f9c2a1b.js.map` have it earlier than last.
    return parts.dropFirst().contains { part in
      let bytes = part.utf8
      guard (8...64).contains(bytes.count) else { return false }
      let isWord = bytes.allSatisfy {
        ASCII.isDigit($0) || ASCII.lowered($0) &- 0x61 < 26 || $0 == UInt8(ascii: "_")
      }
      return isWord && bytes.contains(where: ASCII.isDigit)
        && (bytes.contains { !ASCII.isDigit($0) } || bytes.count >= 16)
    }
  }
}
