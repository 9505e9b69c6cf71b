import Foundation

/// Finds what a stage reads: folders of earlier stages, and paths.
struct InputResolver {
  /// The stage that asks.
  let stage: String
  /// Earlier stages.
  let earlier: [String]
  /// Stages that run after this one, and this one.
  let later: [String]
  /// The folder that holds a folder for each stage.
  let stagesFolder: URL
  /// The recipe's own path; nil for a recipe made from text.
  let recipeFile: String?

  /// The name of the earlier stage that a reference leads into; nil for a path.
  func stageName(in reference: String) -> String? {
    let first = reference.split(separator: "/").first.map(String.init) ?? ""
    return earlier.contains(first) && !reference.hasPrefix("/") ? first : nil
  }

  /// - Throws: `RunError.missingInput`, `RunError.laterStage`.
  func url(of reference: String, mustExist: Bool = true) throws -> URL {
    if stageName(in: reference) != nil {
      let url = stagesFolder.appending(path: reference, directoryHint: .checkFileSystem)
      guard mustExist, !FileManager.default.fileExists(atPath: url.path) else { return url }
      throw RunError.missingInput(
        reference: reference, stage: stage, looked: [url.relativePath])
    }
    let candidates = places.map {
      URL(filePath: reference, directoryHint: .checkFileSystem, relativeTo: $0)
    }
    for candidate in candidates
    where !reference.isEmpty && FileManager.default.fileExists(atPath: candidate.path) {
      return candidate
    }
    if later.contains(reference) {
      throw RunError.laterStage(reference: reference, stage: stage)
    }
    // A recipe in the working directory, and an absolute path, have fewer than three places.
    var looked: [String] = []
    for path in candidates.map(\.path) where !looked.contains(path) { looked.append(path) }
    throw RunError.missingInput(reference: reference, stage: stage, looked: looked)
  }

  /// The working directory, the recipe's folder and the one above.
  private var places: [URL] {
    let here = URL(filePath: FileManager.default.currentDirectoryPath, directoryHint: .isDirectory)
    guard let recipeFile else { return [here] }
    let folder = URL(filePath: recipeFile).deletingLastPathComponent()
    return [here, folder, folder.deletingLastPathComponent()]
  }
}
