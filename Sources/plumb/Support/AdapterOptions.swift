import ArgumentParser
import Foundation
import PlumbModels

/// Where the base model of a LoRA adapter is; shared by all commands that read adapters.
struct AdapterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "For a LoRA adapter: the base model's folder, in place of the one that adapter_config.json names.",
      valueName: "dir"),
    completion: .directory)
  var base: String?

  /// The folder given, which must be one and belong to an adapter at `path`.
  func url(for path: String) throws -> URL? {
    guard let base else { return nil }
    guard AdapterFolder.isAdapter(folder(path)) else {
      throw CommandFailure("\(path): --base: expected a LoRA adapter, found none")
    }
    return try openModel(base).url
  }

  /// Opens an adapter.
  func open(_ path: String) throws -> AdapterFolder {
    try requireFolder(path, "a LoRA adapter")
    return try AdapterFolder(folder(path), base: url(for: path))
  }
}

/// A path as the folder that it names.
func folder(_ path: String) -> URL { URL(filePath: path, directoryHint: .isDirectory) }

/// Refuses a path that is no folder.
func requireFolder(_ path: String, _ expected: String) throws {
  var isFolder: ObjCBool = false
  let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
  guard exists, isFolder.boolValue else {
    throw CommandFailure("\(path): expected \(expected), found \(exists ? "a file" : "nothing")")
  }
}

/// Refuses to write a model into a folder that holds something.
func requireEmpty(_ path: String) throws {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  let isFile =
    names.isEmpty && FileManager.default.fileExists(atPath: path)
    && (try? FileManager.default.contentsOfDirectory(atPath: path)) == nil
  guard names.isEmpty, !isFile else {
    throw CommandFailure(
      "\(path): expected a new or empty folder for the output, found "
        + (isFile ? "a file" : "\(names.count) files"))
  }
}
