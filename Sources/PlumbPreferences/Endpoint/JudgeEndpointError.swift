/// What keeps an endpoint from judging: which endpoint, which prompts, what was expected and found.
public enum JudgeEndpointError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The address is not one of HTTP.
  case invalidAddress(endpoint: String, reason: String)
  /// The address leaves this machine, and that was not allowed.
  case notLoopback(endpoint: String, host: String)
  /// No connection, or one that broke off, at every attempt.
  case unreachable(endpoint: String, prompts: String, attempts: Int, reason: String)
  /// No whole answer within the time, at every attempt.
  case timedOut(endpoint: String, prompts: String, attempts: Int, seconds: Double)
  /// An answer with another status than 200.
  case status(endpoint: String, prompts: String, attempts: Int, code: Int, body: String)
  /// An answer to a whole request that is not what the schema says.
  case invalidAnswer(endpoint: String, prompts: String, expected: String, found: String)
  /// An answer on one prompt that is not what the schema says.
  case invalidJudgement(endpoint: String, prompt: String, expected: String, found: String)
  /// The endpoint says that it cannot judge a prompt.
  case declined(endpoint: String, prompt: String, reason: String)

  /// The sentence for a person.
  public var description: String {
    switch self {
    case .invalidAddress(let endpoint, let reason):
      "endpoint '\(endpoint)': expected an address such as http://127.0.0.1:8000/judge, found \(reason)"
    case .notLoopback(let endpoint, let host):
      """
      endpoint '\(endpoint)': the host '\(host)' is not this machine, and prompts, responses and known \
      answers would leave it; expected 127.0.0.1, localhost or [::1], or 'allow_remote: true'
      """
    case .unreachable(let endpoint, let prompts, let attempts, let reason):
      "endpoint '\(endpoint)', \(prompts): no answer in \(Self.counted(attempts)): \(reason)"
    case .timedOut(let endpoint, let prompts, let attempts, let seconds):
      "endpoint '\(endpoint)', \(prompts): no answer within \(seconds) seconds in \(Self.counted(attempts))"
    case .status(let endpoint, let prompts, let attempts, let code, let body):
      """
      endpoint '\(endpoint)', \(prompts): expected status 200, found \(code) in \
      \(Self.counted(attempts))\(body.isEmpty ? "" : ": \(body)")
      """
    case .invalidAnswer(let endpoint, let prompts, let expected, let found):
      "endpoint '\(endpoint)', \(prompts): expected \(expected), found \(found)"
    case .invalidJudgement(let endpoint, let prompt, let expected, let found):
      "endpoint '\(endpoint)', prompt '\(prompt)': expected \(expected), found \(found)"
    case .declined(let endpoint, let prompt, let reason):
      "endpoint '\(endpoint)', prompt '\(prompt)': the judge declined: \(reason)"
    }
  }

  private static func counted(_ attempts: Int) -> String {
    attempts == 1 ? "1 attempt" : "\(attempts) attempts"
  }
}
