import Foundation
import Glibc
import Synchronization

/// A server of HTTP on 127.0.0.1 for tests: one request after the other, each answered by a function.
public final class LoopbackServer: Sendable {
  /// What a request is answered with.
  public struct Reply: Sendable {
    /// The status code.
    public var status = 200
    /// The body, sent as it is.
    public var body = ""
    /// Seconds before the answer.
    public var delay = 0.0
    /// Header lines besides the length.
    public var headers: [String] = []
    /// Whether the connection is closed before half of the body is out.
    public var breaksOff = false

    /// A body with a status.
    public init(_ body: String = "", status: Int = 200) {
      self.body = body
      self.status = status
    }
  }

  /// The port that it listens at.
  public let port: UInt16
  private let descriptor: Int32
  private let received = Mutex<[String]>([])
  private let isOpen = Mutex(true)
  private let answer: @Sendable (_ body: String, _ number: Int) -> Reply

  /// Listens until the object is gone or ``stop()`` is called.
  /// - Parameter answer: from the body of a request and its number, from 0.
  public init(
    port wanted: UInt16 = 0, answer: @escaping @Sendable (_ body: String, _ number: Int) -> Reply
  ) throws {
    self.answer = answer
    (descriptor, port) = try Self.listen(on: wanted)
    let thread = Thread { [weak self, descriptor] in
      // Here and nowhere else: closed under this loop, the number could be another server's already.
      defer { close(descriptor) }
      while true {
        let connection = accept(descriptor, nil, nil)
        guard connection >= 0 else { return }
        guard let self else {
          close(connection)
          return
        }
        self.serve(connection)
        close(connection)
      }
    }
    thread.start()
  }

  deinit { stop() }

  private static func listen(on wanted: UInt16) throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = wanted.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && Glibc.listen(descriptor, 16) == 0
          && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard isBound else {
      close(descriptor)
      throw CocoaError(.fileReadUnknown)
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  /// The address of a path.
  public func url(_ path: String = "judge") -> String { "http://127.0.0.1:\(port)/\(path)" }

  /// The bodies received so far.
  public var requests: [String] { received.withLock { $0 } }

  /// Listens no more: from now on connections are refused.
  public func stop() {
    guard
      isOpen.withLock({ open in
        defer { open = false }
        return open
      })
    else { return }
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  private func serve(_ connection: Int32) {
    var bytes: [UInt8] = []
    var body: [UInt8]?
    var buffer = [UInt8](repeating: 0, count: 65536)
    while body == nil {
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return }
      bytes += buffer[..<count]
      body = Self.body(of: bytes)
    }
    let text = String(decoding: body ?? [], as: UTF8.self)
    let number = received.withLock { requests in
      requests.append(text)
      return requests.count - 1
    }
    let reply = answer(text, number)
    if reply.delay > 0 { Thread.sleep(forTimeInterval: reply.delay) }
    let lines =
      [
        "HTTP/1.1 \(reply.status) -", "Content-Length: \(reply.body.utf8.count)",
        "Connection: close",
      ]
      + reply.headers
    var answer = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    answer +=
      reply.breaksOff
      ? Array(reply.body.utf8.prefix(reply.body.utf8.count / 2)) : Array(reply.body.utf8)
    var sent = 0
    while sent < answer.count {
      let count = answer[sent...].withUnsafeBytes {
        send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// The body, once all of it is there.
  private static func body(of bytes: [UInt8]) -> [UInt8]? {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
    let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
    let line = head.components(separatedBy: "\r\n").first {
      $0.lowercased().hasPrefix("content-length:")
    }
    let length = line.flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
    let body = bytes[end.upperBound...]
    return body.count >= length ? Array(body.prefix(length)) : nil
  }
}
