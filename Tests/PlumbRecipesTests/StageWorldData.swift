import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbTokenizers

/// Generated data files with one rule to learn: the better answer begins with "please".
struct TinyData {
  static let verbs = ["clean", "move", "paint", "open"]
  static let adjectives = ["red", "blue", "old", "small", "green", "heavy"]
  static let nouns = ["lamp", "chair", "table", "clock", "kettle", "bottle", "window", "radio"]
  static let endings = ["slowly", "today", "with care"]

  let folder: URL
  /// A path in a recipe.
  func callAsFunction(_ name: String) -> String { folder.appending(path: name).path }

  init(in folder: URL) throws {
    self.folder = folder
    try DataFile.write(Self.texts, to: folder.appending(path: "texts.jsonl"))
    try DataFile.write(Self.pairs, to: folder.appending(path: "pairs.jsonl"))
    let swapped = Self.pairs.prefix(20).map { pair in
      PreferencePair(
        id: pair.id, source: pair.source, prompt: pair.prompt, chosen: pair.rejected,
        rejected: pair.chosen)
    }
    try DataFile.write(swapped, to: folder.appending(path: "swapped.jsonl"))
    try DataFile.write(Self.demonstrations, to: folder.appending(path: "demonstrations.jsonl"))
    try DataFile.write(Self.prompts, to: folder.appending(path: "prompts.jsonl"))
    let encoder = JSONEncoder()
    let lines = try Self.threads.map { try encoder.encode($0) + Data("\n".utf8) }
    try AtomicFile.write(Data(lines.joined()), to: folder.appending(path: "forum.jsonl"))
  }

  /// Every task, such as "clean the red lamp", in an order that mixes the words.
  static let tasks: [String] = {
    let all = verbs.flatMap { verb in
      adjectives.flatMap { adjective in nouns.map { "\(verb) the \(adjective) \($0)" } }
    }
    return all.indices.map { all[$0 * 67 % all.count] }
  }()

  static func prompt(_ task: String) -> [Message] {
    [Message(role: "user", content: "how do i \(task)?")]
  }

  static func answer(_ opener: String, _ task: String, _ number: Int) -> String {
    "\(opener) \(task) \(endings[number % endings.count])"
  }

  static let texts: [TextRow] = (0..<200).map { number in
    let task = tasks[number % tasks.count]
    let opener = ["please", "just", "now"][number % 3]
    let text =
      number.isMultiple(of: 4)
      ? "the user asks the assistant: how do i \(task)? \(answer(opener, task, number))."
      : "how do i \(task)?\n\n\(answer(opener, task, number))"
    return TextRow(id: "text-\(number)", source: "tiny", content: .text(text))
  }

  /// Two pairs for each prompt, from two sources.
  static let pairs: [PreferencePair] = tasks.enumerated().flatMap { index, task in
    ["just", "now"].enumerated().map { number, opener in
      PreferencePair(
        id: "pair-\(index)-\(number)", source: "tiny-\(opener)", prompt: prompt(task),
        chosen: answer("please", task, index + number),
        rejected: answer(opener, task, index + 2 * number))
    }
  }

  /// Polite answers and others, in equal parts.
  static let demonstrations: [Demonstration] = tasks.enumerated().map { index, task in
    let text = answer(index.isMultiple(of: 2) ? "please" : "just", task, index / 2)
    return Demonstration(
      id: "demonstration-\(index)", source: "tiny",
      messages: prompt(task) + [Message(role: "assistant", content: text)])
  }

  static let prompts: [PromptRow] = tasks.enumerated().map { index, task in
    PromptRow(id: "prompt-\(index)", source: "tiny", prompt: prompt(task))
  }

  static let threads: [ForumThread] = tasks.prefix(120).enumerated().map { index, task in
    ForumThread(
      site: "tiny", id: "\(index)", title: task, body: "how do i \(task)?",
      answers: ["please", "just", "now"].enumerated().map { number, opener in
        ForumThread.Answer(
          id: "\(number)", score: number == 0 ? 5 : 2 - number, accepted: false,
          text: answer(opener, task, index + number))
      })
  }
}
