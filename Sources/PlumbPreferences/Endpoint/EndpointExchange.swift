import Foundation
import Glibc

/// One request to an endpoint and its answer, in plain HTTP/1.1 over a connection of its own.
///
/// Spoken over sockets and not through `URLSession`, which on Linux sends requests to this machine through
/// a proxy of the environment and follows redirects: both take the texts to where nobody allowed them.
struct EndpointExchange {
  /// What came of an attempt.
  enum Outcome {
    case answer(status: Int, body: [UInt8])
    case timedOut
    case failed(reason: String)
  }

  let url: URL
  /// Seconds for the whole exchange.
  let timeout: Double

  /// Sends JSON and waits for the whole answer.
  func post(_ json: String) -> Outcome {
    let deadline = ContinuousClock.now + .seconds(timeout)
    do throws(Fault) {
      let connection = try Connection(host: host, port: url.port ?? 80, deadline: deadline)
      try connection.send(request(json))
      while true {
        if let response = try HTTPResponse(connection.received, isComplete: false) {
          return .answer(status: response.status, body: response.body)
        }
        guard try connection.receive() else { break }
      }
      guard let response = try HTTPResponse(connection.received, isComplete: true) else {
        throw .broken("the connection was closed before the answer was complete")
      }
      return .answer(status: response.status, body: response.body)
    } catch {
      switch error {
      case .timedOut: return .timedOut
      case .broken(let reason): return .failed(reason: reason)
      }
    }
  }

  private var host: String { (url.host ?? "").trimmingCharacters(in: ["[", "]"]) }

  private func request(_ json: String) -> [UInt8] {
    let parts = URLComponents(url: url, resolvingAgainstBaseURL: false)
    let path = parts?.percentEncodedPath ?? ""
    let query = parts?.percentEncodedQuery.map { "?\($0)" } ?? ""
    let name = host.contains(":") ? "[\(host)]" : host
    let head = [
      "POST \(path.isEmpty ? "/" : path)\(query) HTTP/1.1",
      "Host: \(name)\(url.port.map { ":\($0)" } ?? "")",
      "Content-Type: application/json", "Accept: application/json", "Connection: close",
      "Content-Length: \(json.utf8.count)",
    ]
    return Array((head.joined(separator: "\r\n") + "\r\n\r\n" + json).utf8)
  }

  /// Why an attempt ends without an answer.
  enum Fault: Error {
    case timedOut
    case broken(String)
  }
}

/// A TCP connection with a time by which everything must be done.
private final class Connection {
  private let descriptor: Int32
  private let deadline: ContinuousClock.Instant
  private(set) var received: [UInt8] = []
  private static let longestAnswer = 1 << 28

  init(
    host: String, port: Int, deadline: ContinuousClock.Instant
  ) throws(EndpointExchange.Fault) {
    self.deadline = deadline
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, "\(port)", &hints, &list)
    guard code == 0 else { throw .broken("\(host): \(String(cString: gai_strerror(code)))") }
    defer { freeaddrinfo(list) }
    var reason = "no address"
    var next = list
    while let entry = next {
      switch try Self.connect(to: entry.pointee, deadline) {
      case .success(let descriptor):
        self.descriptor = descriptor
        return
      case .failure(let code): reason = String(cString: strerror(code.value))
      }
      next = entry.pointee.ai_next
    }
    throw .broken("cannot connect to \(host), port \(port): \(reason)")
  }

  deinit { close(descriptor) }

  private struct Code: Error { let value: Int32 }

  private static func connect(
    to address: addrinfo, _ deadline: ContinuousClock.Instant
  ) throws(EndpointExchange.Fault) -> Result<Int32, Code> {
    let kind = address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.ai_family, kind, 0)
    guard descriptor >= 0 else { return .failure(Code(value: errno)) }
    guard Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 else {
      return .success(descriptor)
    }
    var code = errno
    if code == EINPROGRESS {
      do throws(EndpointExchange.Fault) {
        try wait(descriptor, for: POLLOUT, until: deadline)
      } catch {
        close(descriptor)
        throw error
      }
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
    }
    if code == 0 { return .success(descriptor) }
    close(descriptor)
    return .failure(Code(value: code))
  }

  /// Waits until the connection can be read or written, or has failed.
  private static func wait(
    _ descriptor: Int32, for event: Int32, until deadline: ContinuousClock.Instant
  ) throws(EndpointExchange.Fault) {
    while true {
      let left = (deadline - .now) / .milliseconds(1)
      guard left > 0 else { throw .timedOut }
      var state = pollfd(fd: descriptor, events: Int16(event), revents: 0)
      if poll(&state, 1, Int32(min(left.rounded(.up), 1e6))) > 0 { return }
    }
  }

  func send(_ bytes: [UInt8]) throws(EndpointExchange.Fault) {
    var sent = 0
    while sent < bytes.count {
      try Self.wait(descriptor, for: POLLOUT, until: deadline)
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if errno != EAGAIN && errno != EINTR {
        throw .broken("cannot send: \(String(cString: strerror(errno)))")
      }
    }
  }

  /// Reads some more; false at the end of the stream.
  func receive() throws(EndpointExchange.Fault) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      try Self.wait(descriptor, for: POLLIN, until: deadline)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count > 0 {
        received += buffer[..<count]
        guard received.count <= Self.longestAnswer else {
          throw .broken("the answer is longer than \(Self.longestAnswer) bytes")
        }
        return true
      }
      if count == 0 { return false }
      guard errno == EAGAIN || errno == EINTR else {
        throw .broken("cannot receive: \(String(cString: strerror(errno)))")
      }
    }
  }
}
