import ArgumentParser
import Foundation
import PlumbCheckpoints
import PlumbRecipes
import PlumbRollouts

/// Prints a rollout buffer.
struct RolloutsShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Print saved rollouts: prompts, responses, scores, preferences, KL, advantages.",
    discussion: """
      An on-line stage saves the rollouts of every n-th round with 'watch: {save_rollouts_every: n}', as \
      two files of one name, .jsonl.zst and .safetensors; name either of them, or the name without \
      its ending. KL and log-probabilities are in nats; preferences are the log-odds that the \
      response of the row is preferred to that of the column.

        plumb rollouts show watch/rollouts/update-000010.jsonl.zst
        plumb rollouts show update-000010 --prompt 3 --tokens
        plumb rollouts show update-000010 --json --limit 0 | jq .responses[].kl
      """)

  @Argument(
    help: ArgumentHelp("One of the two files, or their common name.", valueName: "file"),
    completion: .file())
  var file: String

  @Option(
    help: ArgumentHelp("Only this prompt, counted from 0 (default: all).", valueName: "n"))
  var prompt: Int?

  @Option(help: ArgumentHelp("Prompts to print; 0 for all.", valueName: "n"))
  var limit = 5

  @Flag(help: "Print every token with its KL, reward, value and advantage.")
  var tokens = false

  @Flag(help: "Print one JSON object a prompt.")
  var json = false

  func validate() throws {
    if let prompt, prompt < 0 {
      throw ValidationError("--prompt: expected an integer of at least 0, found \(prompt)")
    }
    if limit < 0 {
      throw ValidationError("--limit: expected an integer of at least 0, found \(limit)")
    }
    if file.isEmpty { throw ValidationError("<file>: expected a file, found ''") }
  }

  func run() throws {
    let buffer = try Self.buffer(at: file)
    if let prompt, prompt >= buffer.groups.count {
      throw CommandFailure(
        "\(file): --prompt: expected 0 to \(buffer.groups.count - 1), found \(prompt)")
    }
    let shown =
      prompt.map { [$0] }
      ?? Array(buffer.groups.indices.prefix(limit == 0 ? buffer.groups.count : limit))
    let listing = RolloutListing(buffer: buffer, withTokens: tokens)
    if json {
      try StandardOutput().write(lines: shown.map(listing.json))
    } else {
      let rest = prompt == nil ? buffer.groups.count - shown.count : 0
      let more = rest > 0 ? ["… and \(rest) more prompts (--limit 0 shows all)\n"] : []
      try StandardOutput().write(
        ([listing.head] + shown.map(listing.text) + more).joined(separator: "\n"))
    }
  }

  /// Reads the buffer of which a file is one half.
  private static func buffer(at path: String) throws -> RolloutBuffer {
    var name = path
    for ending in [".jsonl.zst", ".safetensors"] where name.hasSuffix(ending) {
      name.removeLast(ending.count)
      break
    }
    for ending in [".jsonl.zst", ".safetensors"]
    where !FileManager.default.fileExists(atPath: name + ending) {
      throw CommandFailure(
        "\(path): expected rollouts in \(name).jsonl.zst and \(name).safetensors, "
          + "found no \(name)\(ending)")
    }
    let url = URL(filePath: name)
    return try RolloutBuffer(
      directory: url.deletingLastPathComponent(), name: url.lastPathComponent)
  }
}
