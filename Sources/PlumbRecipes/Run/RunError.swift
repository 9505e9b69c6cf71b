import Foundation

/// What keeps a run from starting or going on.
public enum RunError: Error, CustomStringConvertible, Equatable {
  /// Another process works in the same directory.
  case locked(directory: String, process: String)
  /// A file or folder could not be read or written.
  case file(path: String, action: String, reason: String)
  /// An input is neither an earlier stage nor a path.
  case missingInput(reference: String, stage: String, looked: [String])
  /// A stage names a stage that comes after it.
  case laterStage(reference: String, stage: String)
  /// A killed run left checkpoints, and neither continuing nor starting again was asked for.
  case unfinished(stage: String, step: Int, resume: String, restart: String)
  /// The checkpoints belong to other settings or inputs than the recipe's.
  case changed(stage: String, step: Int, restart: String)
  /// The directory holds the run of another recipe.
  case otherRecipe(directory: String, expected: String, found: String)
  /// Sequences or ids of a stage exceed what a model can take.
  case doesNotFit(stage: String, what: String, model: String, limit: Int, found: Int)
  /// A stage needs a model of another kind.
  case wrongModel(stage: String, model: String, expected: String, found: String)
  /// Nothing is left to train on.
  case nothingToTrain(stage: String, files: [String], why: String)
  /// No prompt leaves room for a response.
  case noPrompts(files: [String], tooLong: Int)
  /// A judge gave a score or preference that is not finite.
  case badScore(stage: String, prompt: String, judge: String, reason: String)
  /// A guard of the stage ended it after a round, which is saved.
  case stopped(stage: String, step: Int, reason: String)
  /// A file of the run directory does not say what it should.
  case damaged(path: String, detail: String)

  /// A sentence for the user, with what to do.
  public var description: String {
    switch self {
    case .locked(let directory, let process):
      "\(directory): another process\(process.isEmpty ? "" : " (\(process))") runs here; "
        + "wait for it, or choose another --output"
    case .file(let path, let action, let reason): "\(path): cannot \(action): \(reason)"
    case .missingInput(let reference, let stage, let looked):
      "stages.\(stage): expected an earlier stage or a path, found '\(reference)' "
        + "(looked in \(looked.joined(separator: ", ")))"
    case .laterStage(let reference, let stage):
      "stages.\(stage): the input '\(reference)' is a stage that runs later; "
        + "expected an earlier one"
    case .unfinished(let stage, let step, let resume, let restart):
      "stage '\(stage)' was stopped after step \(step)\n"
        + "  to continue it:       \(resume)\n  to start it again:    \(restart)"
    case .changed(let stage, let step, let restart):
      "stage '\(stage)' was stopped after step \(step), but its settings or inputs have changed "
        + "since, so it cannot be continued\n  to start it again:    \(restart)"
    case .otherRecipe(let directory, let expected, let found):
      "\(directory): expected a run of the recipe '\(expected)', found one of '\(found)'; "
        + "choose another --output"
    case .doesNotFit(let stage, let what, let model, let limit, let found):
      "stages.\(stage): \(what) does not fit the model '\(model)': expected at most \(limit), "
        + "found \(found)"
    case .wrongModel(let stage, let model, let expected, let found):
      "stages.\(stage): '\(model)': expected \(expected), found \(found)"
    case .nothingToTrain(let stage, let files, let why):
      "stages.\(stage): expected rows to train on in \(files.joined(separator: ", ")), "
        + "found none (\(why))"
    case .noPrompts(let files, let tooLong):
      "\(files.joined(separator: ", ")): expected prompts that leave room for a response, found none"
        + (tooLong > 0 ? " (\(tooLong) are too long for the context)" : "")
    case .badScore(let stage, let prompt, let judge, let reason):
      "stages.\(stage): prompt '\(prompt)', judge '\(judge)': expected finite scores: \(reason)"
    case .stopped(let stage, let step, let reason):
      "stages.\(stage): stopped after update \(step), which is saved: \(reason)"
    case .damaged(let path, let detail): "\(path): \(detail)"
    }
  }
}

/// The reason of a file error in a few words, without the path that the caller prints itself.
enum FileFault {
  static func reason(_ error: any Error, at url: URL) -> String {
    let cocoa = error as NSError
    if let underlying = cocoa.userInfo[NSUnderlyingErrorKey] as? any Error {
      let cause = underlying as NSError
      if cause.domain == NSPOSIXErrorDomain { return text(of: Int32(cause.code)) }
    }
    if cocoa.domain == NSPOSIXErrorDomain { return text(of: Int32(cocoa.code)) }
    switch CocoaError.Code(rawValue: cocoa.code) {
    case .fileReadNoSuchFile, .fileNoSuchFile: return text(of: ENOENT)
    case .fileReadInapplicableStringEncoding, .fileReadUnknownStringEncoding:
      return "the file is not UTF-8 text"
    case .fileReadNoPermission, .fileWriteNoPermission: return text(of: EACCES)
    case .fileWriteOutOfSpace: return text(of: ENOSPC)
    case .fileWriteVolumeReadOnly: return text(of: EROFS)
    default: return "\(error)".oneLine
    }
  }

  /// What the system says about an `errno`.
  static func text(of code: Int32) -> String {
    String(cString: strerror(code)).lowercasedFirst
  }
}

extension String {
  fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}

extension RunError {
  /// A file error with the reason that the system gave.
  static func file(_ url: URL, _ action: String, _ error: any Error) -> RunError {
    .file(path: url.relativePath, action: action, reason: FileFault.reason(error, at: url))
  }
}
