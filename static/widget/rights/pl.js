export const words = {
  download: "Pobierz moją rozmowę",
  erase: "Usuń moją rozmowę",
  sure: "Usunąć na zawsze wszystko, co tu powiedziano i co o Tobie zapisano?",
  yes: "Usuń",
  erased: "Twoja rozmowa została usunięta.",
  failed: "To się nie udało. Spróbuj ponownie.",
  agree: "Zgadzam się",
  policy: "Polityka prywatności",
  notice: "Zanim napiszesz",
};
