public import Foundation
import PlumbModels
public import PlumbPreferences
import PlumbTokenizers

/// `models.json`: the preference models that a stage with many trainings has written.
public struct ModelIndex: Codable, Sendable {
  /// The name of the file in the stage's folder.
  public static let fileName = "models.json"

  /// One model, or several that judge together.
  public struct Entry: Codable, Hashable, Sendable {
    /// Unique in the file.
    public var name: String
    /// How it was made; entries of one scheme differ by their seed, and by the source of a `top` model.
    var scheme: String
    /// From 1.
    var seed: Int
    /// Folders of the models, from the index's folder.
    public var members: [String]
    /// How several models judge together.
    public var rule: CombinedJudge.Rule
    /// The mean over the sources of the share of test pairs that are put right; nil if not measured.
    var accuracy: Double?
    /// The mean over the sources of the expected calibration error; nil if not measured.
    var ece: Double?
    /// Which member judges whose pairs, in a mixture over people; nil where all judge every pair.
    public var people: PeopleAssignment?

    /// What is wrong with it as a file has it, and what was expected; nil for a sound entry.
    fileprivate var fault: String? {
      guard !members.isEmpty else { return "no members, expected at least one" }
      guard let people else { return nil }
      let places = people.sources.flatMap(\.members.values)
      if let stray = places.first(where: { !members.indices.contains($0) }) {
        return "people of member \(stray), expected 0 to \(members.count - 1)"
      }
      guard people.annotatorsPerSource >= 1 else {
        return "annotatorsPerSource \(people.annotatorsPerSource), expected at least 1"
      }
      return nil
    }
  }

  /// In the order of the trainings.
  public var models: [Entry]

  /// Those that can judge any answer.
  ///
  /// A mixture over people is left out: an answer that nobody voted on has no people, so no member is
  /// its judge.
  var judges: [Entry] { models.filter { $0.people == nil } }

  /// The index in a folder; nil where there is none.
  /// - Throws: `RunError.damaged` for a file that is no index, or has an entry without members or with
  ///   people of a member that is not there.
  public static func read(from folder: URL) throws -> ModelIndex? {
    let file = folder.appending(path: fileName)
    guard let index = try RunFiles.read(json: ModelIndex.self, from: file) else { return nil }
    for entry in index.models {
      guard let fault = entry.fault else { continue }
      throw RunError.damaged(path: file.relativePath, detail: "'\(entry.name)' has \(fault)")
    }
    return index
  }

  func write(to folder: URL) throws {
    try RunFiles.write(json: self, to: folder.appending(path: Self.fileName))
  }
}

/// A preference model that answers are chosen by, with where it lies and what is known of it.
struct ListedModel {
  let entry: ModelIndex.Entry
  let folders: [URL]

  /// The models of a stage or folder: those that its `models.json` lists, or the one that it is.
  static func all(in reference: String, _ context: StageContext) throws -> [ListedModel] {
    let folder = try context.artifact(reference)
    if let index = try ModelIndex.read(from: folder) {
      return index.judges.map { entry in
        ListedModel(entry: entry, folders: entry.members.map { folder.appending(path: $0) })
      }
    }
    let figures = try context.figures(of: reference) ?? []
    return [
      ListedModel(
        entry: ModelIndex.Entry(
          name: reference, scheme: reference, seed: 1, members: ["."], rule: .mean,
          accuracy: figures.first { $0.name == "test_accuracy" }?.value,
          ece: figures.first { $0.name == "test_ece" }?.value), folders: [folder])
    ]
  }

  /// The model as a judge of a policy with this encoder.
  /// - Throws: where the tokenizers differ, or a folder holds no preference model.
  func judge(stage: String, policy: ConversationEncoder) throws -> any Judge {
    let judges = try folders.map {
      try modelJudge($0, name: entry.name, stage: stage, policy: policy).judge
    }
    return judges.count == 1
      ? judges[0] : CombinedJudge(judges, rule: entry.rule, name: entry.name)
  }
}
