export const words = {
  download: "Scarica la mia chat",
  erase: "Elimina la mia chat",
  sure: "Eliminare per sempre tutto ciò che è stato detto qui e annotato su di lei?",
  yes: "Elimina",
  erased: "La sua chat è stata eliminata.",
  failed: "Non ha funzionato. Riprovi.",
  agree: "Accetto",
  policy: "Informativa sulla privacy",
  notice: "Prima di scrivere",
};
