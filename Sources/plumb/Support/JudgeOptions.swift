import ArgumentParser
import PlumbPreferences

/// A judge that listens on this machine, and how it is asked; `plumb evaluate` has them.
struct JudgeOptions: ParsableArguments {
  @Option(
    name: .customLong("judge-url"),
    help: ArgumentHelp(
      "A judge on this machine, asked over HTTP instead of a model, such as http://127.0.0.1:8000/judge.",
      valueName: "url"))
  var judgeURL: String?

  @Option(
    help: ArgumentHelp(
      "How often the judge is asked about each pair, in both orders by turns (default: 8).",
      valueName: "n"))
  var samples: Int?

  @Option(
    help: ArgumentHelp(
      "Seconds for the asks about one pair (default: 60).", valueName: "seconds"))
  var judgeTimeout: Double?

  @Option(
    help: ArgumentHelp(
      "Further attempts where the judge gives no answer for the moment (default: 3).",
      valueName: "n"))
  var judgeRetries: Int?

  /// How often the judge is asked about each pair.
  var sampleCount: Int { samples ?? 8 }

  func validate() throws {
    guard judgeURL != nil else {
      for (name, isGiven) in [
        ("--samples", samples != nil), ("--judge-timeout", judgeTimeout != nil),
        ("--judge-retries", judgeRetries != nil),
      ] where isGiven {
        throw ValidationError("\(name): expected --judge-url URL, whose judge is asked")
      }
      return
    }
    if let samples, !(1...1000).contains(samples) {
      throw ValidationError("--samples: expected a number from 1 to 1000, found \(samples)")
    }
    if let judgeTimeout, !(judgeTimeout > 0 && judgeTimeout <= 86_400) {
      throw ValidationError(
        "--judge-timeout: expected seconds above 0, at most a day, found \(judgeTimeout)")
    }
    if let judgeRetries, !(0...100).contains(judgeRetries) {
      throw ValidationError(
        "--judge-retries: expected a number from 0 to 100, found \(judgeRetries)")
    }
    _ = try judge()
  }

  /// The judge; nil where none is asked for.
  ///
  /// All asks about a pair are one request.
  func judge() throws -> EndpointJudge? {
    guard let judgeURL else { return nil }
    var options = EndpointJudge.Options()
    options.batchSize = sampleCount
    if let judgeTimeout { options.timeout = judgeTimeout }
    if let judgeRetries { options.retries = judgeRetries }
    do {
      return EndpointJudge(try EndpointAddress(judgeURL), options: options)
    } catch JudgeEndpointError.notLoopback(_, let host) {
      throw ValidationError(
        "--judge-url: expected an address of this machine (127.0.0.1, localhost or [::1]), found the "
          + "host '\(host)', to which prompts and responses would go")
    } catch {
      throw ValidationError("--judge-url: \(error)")
    }
  }
}
