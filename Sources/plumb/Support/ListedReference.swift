import Foundation
import PlumbPreferences
import PlumbRecipes

/// A model that a stage with many trainings lists in its `models.json`, asked for by name.
struct ListedReference {
  /// The folders of its members, at least one.
  let folders: [String]
  /// How they judge together.
  let rule: CombinedJudge.Rule
  /// Which of them judges whose pairs, in a mixture over people.
  let people: PeopleAssignment?

  /// Reads `STAGE#NAME` or `STAGE/models.json#NAME`; nil for a path to a model.
  ///
  /// - Throws: `CommandFailure` with the names there are, for an unknown name or none.
  init?(_ reference: String) throws {
    let files = FileManager.default
    var (place, name) = (reference, String?.none)
    // A folder may have a '#' in its name.
    if !files.fileExists(atPath: reference), let mark = reference.lastIndex(of: "#") {
      place = String(reference[..<mark])
      name = String(reference[reference.index(after: mark)...])
    }
    let path = URL(filePath: place)
    let isIndex = path.lastPathComponent == ModelIndex.fileName
    let parent = isIndex ? path.deletingLastPathComponent() : folder(place)
    if name == nil, !isIndex, files.fileExists(atPath: parent.appending(path: "config.json").path) {
      return nil
    }
    guard let index = try ModelIndex.read(from: parent) else {
      guard let name else { return nil }
      throw CommandFailure(
        "\(place): expected a stage with \(ModelIndex.fileName), which lists '\(name)', found none")
    }
    guard let entry = index.models.first(where: { $0.name == name }) else {
      let names = index.models.map { "'\($0.name)'" }.joined(separator: ", ")
      throw CommandFailure(
        "\(reference): expected one model, \(place)#NAME, of \(names), found "
          + (name.map { "'\($0)'" } ?? "no name"))
    }
    folders = entry.members.map { parent.appending(path: $0).relativePath }
    rule = entry.rule
    people = entry.people
  }
}
