export const words = {
  download: "Mijn chat downloaden",
  erase: "Mijn chat verwijderen",
  sure: "Alles wat hier is gezegd en over u is genoteerd voorgoed verwijderen?",
  yes: "Verwijderen",
  erased: "Uw chat is verwijderd.",
  failed: "Dat is niet gelukt. Probeer het opnieuw.",
  agree: "Ik ga akkoord",
  policy: "Privacybeleid",
  notice: "Voordat u schrijft",
};
