export const words = {
  download: "Meinen Chat herunterladen",
  erase: "Meinen Chat löschen",
  sure: "Alles hier Gesagte und was zu Ihnen notiert wurde endgültig löschen?",
  yes: "Löschen",
  erased: "Ihr Chat ist gelöscht.",
  failed: "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
  agree: "Ich stimme zu",
  policy: "Datenschutzerklärung",
  notice: "Bevor Sie schreiben",
};
