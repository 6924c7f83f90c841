// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Hummingbird
import Logging
import NIOCore

/// Turns whatever a handler throws into `application/problem+json`.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
  let logger: Logger

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch {
      let problem: Problem
      if let told = Problem.telling(error) {
        problem = told
        logger.debug("refused", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
      } else {
        problem = .internal
        logger.error("failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
      }
      return try Response(
        json: problem, status: .init(code: problem.status), mediaType: Problem.mediaType)
    }
  }
}

extension Response {
  /// A value as JSON, with a newline at the end for whoever reads it with curl.
  init(
    json value: some Encodable, status: HTTPResponse.Status = .ok,
    mediaType: String = "application/json"
  ) throws {
    self.init(bytes: try AdminCoding.encode(value) + [0x0a], status: status, mediaType: mediaType)
  }

  init(bytes: [UInt8], status: HTTPResponse.Status = .ok, mediaType: String) {
    self.init(
      status: status, headers: [.contentType: mediaType],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
