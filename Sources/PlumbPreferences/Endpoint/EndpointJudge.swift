import Foundation

/// A program of one's own as judge, asked over HTTP on this machine.
///
/// Groups are sent as JSON by `POST`, some at once; scores, a table of preferences or a choice come back
/// (`Documentation/Judges.md` has the schema). An exchange that fails for the moment (no connection, time
/// out, status 408, 425, 429 or 5xx) is tried again after 1, 2, 4, … times `backoff` seconds; one that
/// answers something else than the schema is not.
///
/// ```swift
/// let judge = try EndpointJudge(EndpointAddress("http://127.0.0.1:8000/judge"))
/// ```
public struct EndpointJudge: Judge {
  /// How an endpoint is asked.
  public struct Options: Hashable, Sendable {
    /// Seconds for one exchange.
    public var timeout = 60.0
    /// Further attempts after one that failed.
    public var retries = 3
    /// Seconds before the first of them; each later one waits twice as long, 30 seconds at most.
    public var backoff = 0.5
    /// Groups in one request.
    public var batchSize = 16

    /// The defaults.
    public init() {}
  }

  /// Name of the judge.
  public let name: String
  /// Where it listens.
  public let address: EndpointAddress
  /// How it is asked.
  public let options: Options

  /// Makes a judge; nothing is sent yet.
  public init(_ address: EndpointAddress, options: Options = Options(), name: String? = nil) {
    precondition(
      options.timeout > 0 && options.retries >= 0 && options.backoff >= 0 && options.batchSize > 0,
      "EndpointJudge: expected a timeout and a batch size above 0, found \(options)")
    self.address = address
    self.options = options
    self.name = name ?? address.text
  }

  /// Asks about all groups; the first that fails ends it.
  /// - Throws: `JudgeEndpointError` naming the prompt, or the first and last prompt of the request.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    try batches(groups).flatMap { batch in try answers(batch).map { try $0.get() } }
  }

  /// Asks about all groups; a request that fails leaves out its groups, a judgement its group.
  public func outcomes(of groups: [JudgeGroup]) -> [Result<Judgement, any Error>] {
    batches(groups).flatMap { batch in
      do {
        return try answers(batch)
      } catch {
        return batch.map { _ in .failure(error) }
      }
    }
  }

  private func batches(_ groups: [JudgeGroup]) -> [[JudgeGroup]] {
    stride(from: 0, to: groups.count, by: options.batchSize).map { start in
      Array(groups[start..<min(groups.count, start + options.batchSize)])
    }
  }

  /// Asks about all groups in one request, and about equal responses once, so that they tie.
  private func answers(
    _ groups: [JudgeGroup]
  ) throws(JudgeEndpointError) -> [Result<Judgement, any Error>] {
    let schema = EndpointSchema(endpoint: address.text, source: name)
    let distinct = groups.map(DistinctResponses.init)
    let prompts = Self.names(groups)
    let body = try exchange(schema.request(distinct.map(\.group)), prompts: prompts)
    let entries = try schema.entries(body, of: groups, prompts: prompts)
    return zip(entries, distinct).map { entry, distinct in
      Result { distinct.spread(try schema.judgement(entry, on: distinct.group)) }
    }
  }

  private func exchange(
    _ request: String, prompts: String
  ) throws(JudgeEndpointError) -> [UInt8] {
    let exchange = EndpointExchange(url: address.url, timeout: options.timeout)
    var attempt = 1
    while true {
      let failure: JudgeEndpointError
      switch exchange.post(request) {
      case .answer(200, let body): return body
      case .answer(let status, let body):
        failure = .status(
          endpoint: address.text, prompts: prompts, attempts: attempt, code: status,
          body: body.isEmpty ? "" : EndpointSchema.excerpt(body))
        // Another attempt would be told the same.
        guard status >= 500 || [408, 425, 429].contains(status) else { throw failure }
      case .timedOut:
        failure = .timedOut(
          endpoint: address.text, prompts: prompts, attempts: attempt, seconds: options.timeout)
      case .failed(let reason):
        failure = .unreachable(
          endpoint: address.text, prompts: prompts, attempts: attempt, reason: reason)
      }
      guard attempt <= options.retries else { throw failure }
      Thread.sleep(forTimeInterval: min(30, options.backoff * pow(2, Double(attempt - 1))))
      attempt += 1
    }
  }

  private static func names(_ groups: [JudgeGroup]) -> String {
    guard let first = groups.first, let last = groups.last, groups.count > 1 else {
      return "prompt '\(groups.first?.id ?? "")'"
    }
    return "\(groups.count) prompts, '\(first.id)' to '\(last.id)'"
  }
}

/// A group with each text once, and where its texts stood.
private struct DistinctResponses {
  let group: JudgeGroup
  let places: [Int]

  init(_ group: JudgeGroup) {
    var seen: [String: Int] = [:]
    var kept: [Int] = []
    places = group.responses.indices.map { index in
      if let place = seen[group.responses[index]] { return place }
      seen[group.responses[index]] = kept.count
      kept.append(index)
      return kept.count - 1
    }
    var distinct = JudgeGroup(
      prompt: group.prompt, responses: kept.map { group.responses[$0] },
      tokens: PreferenceGroup(
        prompt: group.tokens.prompt, responses: kept.map { group.tokens.responses[$0] }))
    distinct.id = group.id
    distinct.answer = group.answer
    self.group = distinct
  }

  /// The judgement on all responses.
  func spread(_ judgement: Judgement) -> Judgement {
    guard let scores = judgement.scores else {
      return Judgement(preferenceLogits: table(judgement), source: judgement.source)
    }
    return Judgement(
      preferenceLogits: table(judgement), scores: places.map { scores[$0] },
      source: judgement.source)
  }

  private func table(_ judgement: Judgement) -> [[Double]] {
    places.map { i in places.map { judgement.preferenceLogits[i][$0] } }
  }
}
