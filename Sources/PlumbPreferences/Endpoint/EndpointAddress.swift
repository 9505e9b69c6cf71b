public import Foundation

/// Where a judge listens: an address on this machine, unless others are allowed.
public struct EndpointAddress: Hashable, Sendable {
  /// The address as it was written.
  public let text: String
  /// The address as URL.
  public let url: URL

  /// Checks an address.
  ///
  /// - Parameters:
  ///   - text: `http://127.0.0.1:8000/judge` and the like.
  ///   - allowsRemote: whether the host may be another machine. Judging sends prompts, responses and known
  ///     answers out in clear text, so nothing but this machine is taken for granted.
  /// - Throws: `JudgeEndpointError.invalidAddress` or `.notLoopback`.
  public init(_ text: String, allowsRemote: Bool = false) throws(JudgeEndpointError) {
    guard let url = URL(string: text), let scheme = url.scheme?.lowercased() else {
      throw .invalidAddress(endpoint: text, reason: "no address")
    }
    guard scheme == "http" else {
      throw .invalidAddress(
        endpoint: text, reason: "the scheme '\(scheme)'; endpoints are asked in plain HTTP")
    }
    guard let host = url.host, !host.isEmpty else {
      throw .invalidAddress(endpoint: text, reason: "no host")
    }
    guard allowsRemote || Self.isLoopback(host) else {
      throw .notLoopback(endpoint: text, host: host)
    }
    self.text = text
    self.url = url
  }

  /// Whether a host of an address names this machine: `localhost`, `::1`, or 127.0.0.0/8 in full.
  static func isLoopback(_ host: String) -> Bool {
    let name = host.lowercased().trimmingCharacters(in: ["[", "]"])
    if name == "localhost" || name == "::1" { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127"
      && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isNumber) && UInt8($0) != nil }
  }
}
