// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// A short page or a problem+json (RFC 9457) for an answer the gateway gives by itself.
package struct ErrorAnswer: Equatable {
  package var status: Int
  package var code: String
  package var detail: String
  package var retryAfter: Int?

  package init(_ refusal: Refusal) {
    status = refusal.status
    code = refusal.code
    detail = refusal.detail
    retryAfter = refusal.retryAfter
  }

  /// What an app's failure is to the client. `message` is made for others to read; `logDetail` stays here.
  package init(_ error: HostError) {
    // 499 is a word between servers; a client that still waits gets one it knows.
    status = error.area == .cancelled ? 503 : error.area.httpStatus
    code = error.code
    detail = error.message
    for (key, value) in error.data where key == "retryAfter" {
      retryAfter = value.int.map { Int($0) }
    }
    if retryAfter == nil, status == 503 { retryAfter = 1 }
  }

  package func body(asHTML: Bool) -> [UInt8] { asHTML ? html : json }

  package static func contentType(asHTML: Bool) -> StaticString {
    asHTML ? "text/html; charset=utf-8" : "application/problem+json"
  }

  private var json: [UInt8] {
    var writer = JSONWriter()
    writer.raw("{\"type\":\"about:blank\",\"title\":")
    writer.string(StatusLine.reason(status))
    writer.raw(",\"status\":")
    writer.int(Int64(status))
    writer.raw(",\"detail\":")
    writer.string(detail)
    writer.raw(",\"code\":")
    writer.string(code)
    writer.raw("}\n")
    return writer.bytes
  }

  private var html: [UInt8] {
    let title = "\(status) \(StatusLine.reason(status))"
    return Array(
      """
      <!doctype html><html lang="en"><head><meta charset="utf-8">\
      <meta name="viewport" content="width=device-width"><title>\(title)</title>\
      <style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:12vh auto;padding:0 1em}\
      p+p{color:#666;font-size:.85em}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}\
      </style></head><body><h1>\(title)</h1><p>\(Self.escaped(detail))</p>\
      <p>\(Self.escaped(code))</p></body></html>

      """.utf8)
  }

  private static func escaped(_ text: String) -> String {
    var out = ""
    for character in text.unicodeScalars {
      switch character {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      default: out.unicodeScalars.append(character)
      }
    }
    return out
  }

  /// A browser asks for text/html; a program seldom does.
  package static func wantsHTML(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> Bool {
    var wants = false
    for field in head.fields where field.kind == .accept {
      ASCII.forEachElement(field.value.bytes(in: bytes)) { element in
        let end = element.firstIndex(of: UInt8(ascii: ";")) ?? element.count
        let type = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: element[..<end]))
        if ASCII.equalsIgnoringCase(type, "text/html") { wants = true }
      }
    }
    return wants
  }
}
