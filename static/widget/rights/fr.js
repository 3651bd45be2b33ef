export const words = {
  download: "Télécharger ma discussion",
  erase: "Supprimer ma discussion",
  sure: "Supprimer définitivement tout ce qui a été dit ici et ce qui a été noté sur vous ?",
  yes: "Supprimer",
  erased: "Votre discussion est supprimée.",
  failed: "Cela n’a pas fonctionné. Veuillez réessayer.",
  agree: "J’accepte",
  policy: "Politique de confidentialité",
  notice: "Avant d’écrire",
};
