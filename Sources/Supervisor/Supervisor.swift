import Crypto
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
public func placeholder() -> Router<BasicRequestContext> { Router() }
